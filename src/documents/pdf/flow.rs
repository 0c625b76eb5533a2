//! Blocks one below the other, from page to page.

use super::block::{Block, Column, Side};
use super::fonts::Fonts;
use super::page::Page;
use super::text::{Line, Setter, Style};
use super::{Paper, PrintError, PrintOptions, PrintedPart};

/// What stays white around a page, in points (12 mm): more than any printer needs.
const MARGIN: f32 = 34.0;
/// How many of the parts with replaced letters, and of their letters, are told one by one.
const MOST_TOLD: usize = 40;
/// The height of what stands at the foot of a page.
const FOOT: f32 = 20.0;

/// Pages that are filled from top to bottom.
pub(super) struct Flow {
    pub(super) fonts: Fonts,
    paper: Paper,
    pages: Vec<Page>,
    /// Where the next block begins.
    y: f32,
    /// What stands on top of every page but the first.
    running: Block,
    /// The names of the columns, repeated on every page while rows come.
    heading: Option<Block>,
    /// What the rows belong to, repeated on every page while they come.
    group: Option<Block>,
    foot: Line,
}

impl Flow {
    /// Begins the first page with the head of the document.
    ///
    /// `title` stands on top of the other pages and `foot` at the foot of all, each cut to its line.
    pub(super) fn new(options: &PrintOptions, title: &str, foot: &str) -> Result<Self, PrintError> {
        let mut fonts = Fonts::new(&options.fonts, options.letters)?;
        let width = width(options.paper);
        let part = PrintedPart::Head("Title");
        let mut setter = Setter::new(&mut fonts, &part);
        let mut running = Block::default();
        let title = setter.cut(title, Style::regular(8.0).grey(), width)?;
        let whole = Column {
            x: 0.0,
            width,
            side: Side::Left,
        };
        running.text(whole, 0.0, vec![title]);
        let foot = setter.cut(foot, Style::regular(7.0).grey(), width * 0.75)?;
        Ok(Self {
            fonts,
            paper: options.paper,
            pages: vec![Page::default()],
            y: MARGIN,
            running: running.with_room(6.0),
            heading: None,
            group: None,
            foot,
        })
    }

    /// How wide blocks are.
    pub(super) fn width(&self) -> f32 {
        width(self.paper)
    }

    fn bottom(&self) -> f32 {
        self.paper.size().1 - MARGIN - FOOT
    }

    /// What is set for a part of the document.
    pub(super) fn setter<'a>(&'a mut self, part: &'a PrintedPart) -> Setter<'a> {
        Setter::new(&mut self.fonts, part)
    }

    /// Puts a block below the last one, or on the next page when it does not fit there.
    pub(super) fn put(&mut self, block: &Block, part: &PrintedPart) -> Result<(), PrintError> {
        self.keep_together(block.height, part)?;
        self.draw(block);
        Ok(())
    }

    /// Begins rows under names of columns.
    pub(super) fn begin_rows(
        &mut self,
        heading: Block,
        part: &PrintedPart,
    ) -> Result<(), PrintError> {
        // A heading alone at the end of a page says nothing: some rows must fit below it.
        self.keep_together(heading.height + 60.0, part)?;
        self.draw(&heading);
        self.heading = Some(heading);
        self.group = None;
        Ok(())
    }

    /// Begins rows that belong together, with the first of them. `again` stands on top of further pages.
    pub(super) fn begin_group(
        &mut self,
        group: &Block,
        again: Block,
        first: &Block,
        part: &PrintedPart,
    ) -> Result<(), PrintError> {
        self.group = None;
        self.keep_together(group.height + first.height, part)?;
        self.draw(group);
        self.draw(first);
        self.group = Some(again);
        Ok(())
    }

    /// No more rows come.
    pub(super) fn end_rows(&mut self) {
        self.heading = None;
        self.group = None;
    }

    /// Goes to the next page unless so much fits on this one.
    fn keep_together(&mut self, height: f32, part: &PrintedPart) -> Result<(), PrintError> {
        if self.y + height <= self.bottom() {
            return Ok(());
        }
        if let Some(page) = self.pages.last_mut() {
            page.close();
        }
        self.pages.push(Page::default());
        self.y = MARGIN;
        self.draw(&self.running.clone());
        for block in [self.heading.clone(), self.group.clone()]
            .into_iter()
            .flatten()
        {
            self.draw(&block);
        }
        if self.y + height <= self.bottom() {
            Ok(())
        } else {
            Err(PrintError::Room { of: part.clone() })
        }
    }

    fn draw(&mut self, block: &Block) {
        if let Some(page) = self.pages.last_mut() {
            page.put(MARGIN, self.y, block);
        }
        self.y += block.height;
    }

    /// Says which letters were replaced, and where: who reads a question mark must know what it stands for.
    fn put_replaced(&mut self) -> Result<(), PrintError> {
        let replaced = self.fonts.replaced();
        if replaced.is_empty() {
            return Ok(());
        }
        self.end_rows();
        let more = replaced.len().saturating_sub(MOST_TOLD);
        let mut told = vec![(
            "A question mark stands for letters that no font here has:".to_owned(),
            Style::bold(8.0),
        )];
        let small = Style::regular(7.5);
        for (part, letters) in replaced.iter().take(MOST_TOLD) {
            let numbers = letters.iter().take(MOST_TOLD);
            let numbers: Vec<String> = numbers
                .map(|letter| format!("U+{:04X}", u32::from(*letter)))
                .collect();
            told.push((format!("{part}: {}", numbers.join(", ")), small));
        }
        if more > 0 {
            told.push((format!("and {more} more"), small));
        }
        let part = PrintedPart::Head("Letters");
        let width = self.width();
        let whole = Column {
            x: 0.0,
            width,
            side: Side::Left,
        };
        for (number, (text, style)) in told.into_iter().enumerate() {
            let lines = self.setter(&part).wrapped(&text, style, width)?;
            let mut block = Block::default();
            block.text(whole, if number == 0 { 12.0 } else { 1.0 }, lines);
            self.put(&block, &part)?;
        }
        Ok(())
    }

    /// The pages with their numbers, and the fonts.
    pub(super) fn finish(mut self) -> Result<(Paper, Fonts, Vec<Page>), PrintError> {
        self.put_replaced()?;
        let (width, total) = (self.width(), self.pages.len());
        let part = PrintedPart::Head("Page");
        let mut setter = Setter::new(&mut self.fonts, &part);
        for (number, page) in (1_usize..).zip(&mut self.pages) {
            let mut block = Block::default();
            block.area(0.0, 0.0, width, 0.4, 150);
            let column = |side| Column {
                x: 0.0,
                width,
                side,
            };
            block.text(column(Side::Left), 5.0, vec![self.foot.clone()]);
            let number = format!("Page {number} of {total}");
            let number = setter.line(&number, Style::regular(8.0))?;
            block.text(column(Side::Right), 4.0, vec![number]);
            let top = self.paper.size().1 - MARGIN - FOOT + 6.0;
            page.put(MARGIN, top, &block);
        }
        Ok((self.paper, self.fonts, self.pages))
    }
}

fn width(paper: Paper) -> f32 {
    paper.size().0 - MARGIN - MARGIN
}
