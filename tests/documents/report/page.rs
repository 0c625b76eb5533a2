//! A page of a report as a reader has it, who reads as strictly as XML is read.

use std::collections::{BTreeMap, BTreeSet};

use quick_xml::Reader;
use quick_xml::events::Event;

/// An element of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) children: Vec<Node>,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Element(Element),
    Text(String),
}

impl Element {
    /// Its text, and that of all that is in it.
    pub(super) fn text(&self) -> String {
        let parts = self.children.iter().map(|node| match node {
            Node::Element(element) => element.text(),
            Node::Text(text) => text.clone(),
        });
        parts.collect::<String>().trim().to_owned()
    }

    /// All elements of a name in it, in their order.
    pub(super) fn all(&self, name: &str) -> Vec<&Element> {
        let mut found = Vec::new();
        for node in &self.children {
            if let Node::Element(element) = node {
                if element.name == name {
                    found.push(element);
                }
                found.extend(element.all(name));
            }
        }
        found
    }

    pub(super) fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// The exact number in a cell.
    pub(super) fn exact(&self) -> String {
        self.all("data")[0].attribute("value").to_owned()
    }

    /// The cells of the rows of the table whose caption begins so, sums included.
    pub(super) fn rows(&self, caption: &str) -> Vec<Vec<&Element>> {
        let tables = self.all("table").into_iter();
        let mut tables = tables.filter(|it| it.all("caption")[0].text().starts_with(caption));
        let table = tables
            .next()
            .unwrap_or_else(|| panic!("no table {caption}"));
        let rows = table.all("tr").into_iter().skip(1);
        rows.map(|row| {
            let cells = row.children.iter().filter_map(|node| match node {
                Node::Element(cell) => Some(cell),
                Node::Text(_) => None,
            });
            cells.collect()
        })
        .collect()
    }
}

fn entity(name: &str) -> &'static str {
    match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "#39" => "'",
        other => panic!("&{other}; is not one that a page needs"),
    }
}

fn resolved(text: &str) -> String {
    let mut parts = text.split('&');
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';').expect("an ampersand begins an entity");
        text.push_str(entity(name));
        text.push_str(rest);
    }
    text
}

/// Reads a page as strictly as XML is read: what is opened is closed, in order, and nothing stands for itself that is
/// markup.
pub(super) fn read(page: &str) -> Element {
    let mut reader = Reader::from_str(page);
    reader.config_mut().check_end_names = true;
    let mut open = vec![Element::default()];
    let started = |start: &quick_xml::events::BytesStart<'_>| Element {
        name: start.name().as_ref().to_owned(),
        attributes: start
            .attributes()
            .map(|attribute| {
                let attribute = attribute.expect("attributes are quoted and there once");
                let name = attribute.key.as_ref().to_owned();
                let value = attribute.value.to_string();
                assert!(!value.contains('<'));
                (name, resolved(&value))
            })
            .collect(),
        children: Vec::new(),
    };
    loop {
        match reader.read_event().expect("the page is well-formed") {
            Event::Start(start) => open.push(started(&start)),
            Event::Empty(empty) => {
                let element = started(&empty);
                open.last_mut()
                    .unwrap()
                    .children
                    .push(Node::Element(element));
            }
            Event::End(_) => {
                let element = open.pop().unwrap();
                open.last_mut()
                    .unwrap()
                    .children
                    .push(Node::Element(element));
            }
            Event::Text(text) => {
                let text = text.to_string();
                open.last_mut().unwrap().children.push(Node::Text(text));
            }
            Event::GeneralRef(reference) => {
                let text = entity(&reference).to_owned();
                open.last_mut().unwrap().children.push(Node::Text(text));
            }
            Event::DocType(kind) => assert_eq!(kind.to_string(), "html"),
            Event::Eof => break,
            other => panic!("{other:?} has no place on a page"),
        }
    }
    assert_eq!(open.len(), 1);
    let root = open.pop().unwrap();
    assert_eq!(root.all("html").len(), 1);
    root
}

/// What a page may be made of.
const ELEMENTS: &str = "html head meta title style body header main section footer div p h1 h2 h3 dl dt dd strong span \
    bdi time data table caption thead tbody tfoot tr th td details summary svg defs pattern rect line text desc";
const ATTRIBUTES: &str = "lang charset http-equiv content name id class role scope data-label datetime value width height \
    x y x1 x2 y1 y2 text-anchor aria-labelledby aria-hidden patternUnits patternTransform";

pub(super) fn assert_tame(element: &Element) {
    let (elements, attributes): (BTreeSet<&str>, BTreeSet<&str>) = (
        ELEMENTS.split_whitespace().collect(),
        ATTRIBUTES.split_whitespace().collect(),
    );
    for node in &element.children {
        let Node::Element(inner) = node else { continue };
        assert!(elements.contains(inner.name.as_str()), "<{}>", inner.name);
        for name in inner.attributes.keys() {
            assert!(
                attributes.contains(name.as_str()),
                "<{} {name}>",
                inner.name
            );
        }
        assert_tame(inner);
    }
}

pub(super) fn minor(figure: &str, digits: usize) -> i128 {
    let fraction = figure.split_once('.').map_or("", |(_, fraction)| fraction);
    assert_eq!(fraction.len(), digits, "{figure}");
    figure.replace('.', "").parse().unwrap()
}

pub(super) fn micros(figure: &str) -> i128 {
    let (whole, fraction) = figure.split_once('.').unwrap_or((figure, ""));
    assert!(!fraction.ends_with('0'), "{figure}");
    format!("{whole}{fraction:0<6}").parse().unwrap()
}
