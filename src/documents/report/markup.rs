//! A page as text: elements that always end, and texts that can't be anything but texts.

/// Writes markup that reads the same as HTML and as XML. Names of elements and attributes are the program's own; what
/// stands in them is escaped, whoever wrote it, and every element that is opened is closed.
#[derive(Debug, Default)]
pub(super) struct Markup {
    page: String,
}

/// The attributes of an element.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

impl Markup {
    /// A page with nothing but its beginning.
    pub(super) fn new() -> Self {
        Self {
            page: "<!DOCTYPE html>\n".to_owned(),
        }
    }

    /// An element with what is in it.
    pub(super) fn within(
        &mut self,
        name: &'static str,
        attributes: Attributes<'_>,
        inner: impl FnOnce(&mut Self),
    ) {
        self.open(name, attributes);
        self.page.push('>');
        inner(self);
        self.page.push_str("</");
        self.page.push_str(name);
        self.page.push_str(if is_block(name) { ">\n" } else { ">" });
    }

    /// An element with a text in it.
    pub(super) fn leaf(&mut self, name: &'static str, attributes: Attributes<'_>, text: &str) {
        self.within(name, attributes, |inner| inner.text(text));
    }

    /// An element that has nothing in it.
    pub(super) fn void(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.open(name, attributes);
        self.page.push_str("/>");
    }

    /// A text.
    pub(super) fn text(&mut self, text: &str) {
        escape(&mut self.page, text);
    }

    /// A text that somebody wrote: whichever way it is read, what stands beside it is read its own way.
    pub(super) fn words(&mut self, text: &str) {
        self.leaf("bdi", &[], text);
    }

    /// The style sheet: the program's own, so it is written as it is.
    pub(super) fn style(&mut self, sheet: &'static str) {
        self.page.push_str("<style>");
        self.page.push_str(sheet);
        self.page.push_str("</style>\n");
    }

    /// The page.
    pub(super) fn into_page(self) -> String {
        self.page
    }

    fn open(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.page.push('<');
        self.page.push_str(name);
        for (attribute, value) in attributes {
            self.page.push(' ');
            self.page.push_str(attribute);
            self.page.push_str("=\"");
            escape(&mut self.page, value);
            self.page.push('"');
        }
    }
}

/// Elements after which a line ends, so that people can read the source.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "body"
            | "caption"
            | "div"
            | "dl"
            | "footer"
            | "h1"
            | "h2"
            | "h3"
            | "head"
            | "header"
            | "html"
            | "main"
            | "p"
            | "section"
            | "table"
            | "tbody"
            | "tfoot"
            | "thead"
            | "title"
            | "tr"
            | "details"
    )
}

fn escape(page: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            '\t' | '\n' | '\r' => page.push(' '),
            letter if is_unfit(letter) => page.push(char::REPLACEMENT_CHARACTER),
            letter => page.push(letter),
        }
    }
}

/// What has no place in a text: control characters, what is no character, and what makes a text read as another one.
fn is_unfit(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FDD0}'..='\u{FDEF}')
        || u32::from(letter) & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use super::Markup;

    #[test]
    fn texts_stay_texts() {
        let mut page = Markup::default();
        page.leaf(
            "td",
            &[("title", "\"><script>'&")],
            "</td>\u{202e}\u{0}\u{85}\u{ffff}\r\n'a'",
        );
        assert_eq!(
            page.into_page(),
            "<td title=\"&quot;&gt;&lt;script&gt;&#39;&amp;\">&lt;/td&gt;\u{fffd}\u{fffd}\u{fffd}\u{fffd}  &#39;a&#39;</td>"
        );
    }
}
