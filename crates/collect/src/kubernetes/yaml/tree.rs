//! The events of a document as a tree with lines and columns, in which aliases still stand.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::scalar::{Scalar, plain, tagged};
use super::{DEEPEST, Fault};

/// The nodes of a document; the first is the whole.
pub(super) struct Tree<'t> {
    pub nodes: Vec<Node<'t>>,
    /// The node of each anchor.
    pub anchors: HashMap<usize, usize>,
    /// The line in which another document begins that readers of one alone pass over.
    pub more: Option<usize>,
}

/// A value with its place.
pub(super) struct Node<'t> {
    pub line: u32,
    pub column: u32,
    pub what: What<'t>,
}

pub(super) enum What<'t> {
    Scalar(Scalar<'t>),
    /// A plain `<<`.
    Merge,
    Alias(usize),
    List(Vec<usize>),
    /// Keys and values.
    Map(Vec<(usize, usize)>),
}

/// A list or map that has not ended.
struct Open {
    node: usize,
    key: Option<usize>,
}

/// The tree of a text that is one document.
pub(super) fn read(text: &str) -> Result<Tree<'_>, Fault> {
    let mut tree = Tree { nodes: Vec::new(), anchors: HashMap::new(), more: None };
    let mut open: Vec<Open> = Vec::new();
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0;
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|why| fault(&why))?;
        let place = span.start;
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    tree.more = Some(place.line());
                    break;
                }
            }
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop();
            }
            Event::Alias(id) => tree.add(place, What::Alias(id), &mut open),
            Event::Scalar(text, style, anchor, tag) => {
                let what = scalar(text, style, tag.as_deref()).map_err(|why| Fault::new(place.line(), why))?;
                tree.anchor(anchor);
                tree.add(place, what, &mut open);
            }
            Event::SequenceStart(anchor, _) => tree.begin(place, What::List(Vec::new()), anchor, &mut open)?,
            Event::MappingStart(anchor, _) => tree.begin(place, What::Map(Vec::new()), anchor, &mut open)?,
        }
    }
    Ok(tree)
}

impl<'t> Tree<'t> {
    fn anchor(&mut self, id: usize) {
        if id != 0 {
            self.anchors.insert(id, self.nodes.len());
        }
    }

    fn begin(&mut self, place: Marker, what: What<'t>, anchor: usize, open: &mut Vec<Open>) -> Result<(), Fault> {
        if open.len() == DEEPEST {
            return Err(Fault::new(place.line(), format!("it is nested deeper than {DEEPEST}")));
        }
        self.anchor(anchor);
        let node = self.nodes.len();
        self.add(place, what, open);
        open.push(Open { node, key: None });
        Ok(())
    }

    /// Adds a node to the list or map that is open.
    fn add(&mut self, place: Marker, what: What<'t>, open: &mut [Open]) {
        let node = self.nodes.len();
        if let Some(open) = open.last_mut() {
            match &mut self.nodes[open.node].what {
                What::List(items) => items.push(node),
                What::Map(fields) => match open.key.take() {
                    Some(key) => fields.push((key, node)),
                    None => open.key = Some(node),
                },
                What::Scalar(_) | What::Merge | What::Alias(_) => {}
            }
        }
        self.nodes.push(Node { line: number(place.line()), column: number(place.col() + 1), what });
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn scalar<'t>(text: Cow<'t, str>, style: ScalarStyle, tag: Option<&Tag>) -> Result<What<'t>, String> {
    let is_plain = style == ScalarStyle::Plain;
    let core = tag.and_then(|tag| match &*tag.handle {
        "tag:yaml.org,2002:" => Some(&*tag.suffix),
        // Written out: !<tag:yaml.org,2002:str>.
        "" => tag.suffix.strip_prefix("tag:yaml.org,2002:"),
        _ => None,
    });
    let value = match tag {
        None if is_plain && text == "<<" => return Ok(What::Merge),
        None if is_plain => plain(text),
        None => Scalar::Text(text),
        Some(_) if core == Some("merge") && text == "<<" => return Ok(What::Merge),
        Some(_) => match core {
            Some(core) => tagged(core, text)?,
            None => Scalar::Text(text),
        },
    };
    Ok(What::Scalar(value))
}

fn fault(why: &ScanError) -> Fault {
    // The parser's words may repeat what it read.
    let words: String = why.info().chars().take(160).map(|c| if c.is_control() { ' ' } else { c }).collect();
    Fault::new(why.marker().line(), format!("{words} (column {})", why.marker().col() + 1))
}
