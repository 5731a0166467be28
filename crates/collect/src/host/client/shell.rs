//! Enough of the shell's grammar to tell which variables a profile sets and exports.
//!
//! Nothing is run. What stands within a condition, a loop, a function or behind `&&` may or may
//! not happen, and is marked so; values that the shell would compute are unknown.

mod lexer;

use lexer::{Lexer, Token};

/// One event on a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) action: Action,
    /// False when it may not happen.
    pub(super) certain: bool,
    /// The line, from 1.
    pub(super) line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Assigned; none when the shell would compute the value.
    Set(Option<String>),
    Export,
    Unexport,
    Unset,
}

/// The events of a profile in their order.
pub(super) fn events(text: &str) -> Vec<Event> {
    let mut reader = Reader::default();
    for token in Lexer::new(text).tokens() {
        if reader.token(token) {
            break;
        }
    }
    reader.finish();
    reader.events
}

#[derive(PartialEq, Clone, Copy)]
enum Block {
    If,
    Loop,
    Case,
    Brace,
    Paren,
}

/// Follows the blocks and hands each simple command on.
#[derive(Default)]
struct Reader {
    events: Vec<Event>,
    blocks: Vec<Block>,
    command: Vec<(String, bool, usize)>,
    chained: bool,
    all_exported: bool,
    /// A pattern of `case` is due: up to its parenthesis no word is a command.
    in_pattern: bool,
    stopped: bool,
}

impl Reader {
    /// True once nothing more can happen.
    fn token(&mut self, token: Token) -> bool {
        match token {
            Token::Word { text, computed, line, plain } => self.word(text, computed, line, plain),
            Token::End => {
                self.finish();
                self.chained = false;
            }
            Token::CaseEnd => {
                self.finish();
                self.chained = false;
                self.in_pattern = self.blocks.last() == Some(&Block::Case);
            }
            Token::Chain => {
                self.finish();
                self.chained = true;
            }
            Token::Apart => {
                // Either side runs in a shell of its own.
                self.chained = true;
                self.finish();
            }
            Token::Open if self.in_pattern => {}
            Token::Open => {
                self.command.clear();
                self.blocks.push(Block::Paren);
            }
            Token::Close if self.in_pattern => {
                self.in_pattern = false;
                self.command.clear();
            }
            Token::Close => {
                self.finish();
                self.close(Block::Paren);
            }
        }
        self.stopped
    }

    fn close(&mut self, block: Block) {
        if self.blocks.last() == Some(&block) {
            self.blocks.pop();
        }
    }

    fn word(&mut self, text: String, computed: bool, line: usize, plain: bool) {
        if self.in_pattern {
            if plain && text == "esac" {
                self.in_pattern = false;
                self.close(Block::Case);
            }
            return;
        }
        if plain && text == "in" && self.blocks.last() == Some(&Block::Case) && self.command.len() == 1 {
            self.command.clear();
            self.in_pattern = true;
            return;
        }
        if plain && self.command.is_empty() {
            match text.as_str() {
                "if" => return self.blocks.push(Block::If),
                "while" | "until" | "for" | "select" => return self.blocks.push(Block::Loop),
                "case" => return self.blocks.push(Block::Case),
                "{" => return self.blocks.push(Block::Brace),
                "fi" => return self.close(Block::If),
                "done" => return self.close(Block::Loop),
                "esac" => return self.close(Block::Case),
                "}" => return self.close(Block::Brace),
                "then" | "else" | "elif" | "do" | "!" | "time" => return,
                _ => {}
            }
        }
        self.command.push((text, computed, line));
    }

    fn finish(&mut self) {
        let words = std::mem::take(&mut self.command);
        let certain = self.blocks.is_empty() && !self.chained;
        let Some((first, _, _)) = words.first() else { return };
        match first.as_str() {
            "export" | "declare" | "typeset" | "readonly" | "local" => self.declare(&words, certain),
            "unset" => {
                for (name, _, line) in words.iter().skip(1).filter(|(name, _, _)| !name.starts_with('-')) {
                    self.push(name, Action::Unset, certain, *line);
                }
            }
            "set" => {
                let flags: Vec<&str> = words.iter().skip(1).map(|(word, _, _)| word.as_str()).collect();
                if matches!(flags.as_slice(), ["-a"] | ["-o", "allexport"]) {
                    self.all_exported = true;
                } else if matches!(flags.as_slice(), ["+a"] | ["+o", "allexport"]) {
                    self.all_exported = false;
                }
            }
            "return" | "exit" if certain => self.stopped = true,
            _ => {
                // Assignments before a command are the command's alone.
                if words.iter().all(|(word, _, _)| assignment(word).is_some()) {
                    for (word, computed, line) in &words {
                        self.assign(word, *computed, self.all_exported, certain, *line);
                    }
                }
            }
        }
    }

    fn declare(&mut self, words: &[(String, bool, usize)], certain: bool) {
        let (mut export, mut unexport) = (words[0].0 == "export", false);
        for (word, computed, line) in &words[1..] {
            if word.starts_with(['-', '+']) {
                match (words[0].0.as_str(), word.as_str()) {
                    ("export", "-n") | (_, "+x") => (export, unexport) = (false, true),
                    (_, flags) if flags.starts_with('-') && flags.contains('x') => export = true,
                    _ => {}
                }
            } else if assignment(word).is_some() {
                self.assign(word, *computed, export, certain, *line);
            } else if export {
                self.push(word, Action::Export, certain, *line);
            }
            let name = assignment(word).map_or(word.as_str(), |(name, _)| name);
            if unexport && !word.starts_with(['-', '+']) {
                self.push(name, Action::Unexport, certain, *line);
            }
        }
    }

    fn assign(&mut self, word: &str, computed: bool, export: bool, certain: bool, line: usize) {
        let Some((name, value)) = assignment(word) else { return };
        self.push(name, Action::Set((!computed).then(|| value.to_owned())), certain, line);
        if export {
            self.push(name, Action::Export, certain, line);
        }
    }

    fn push(&mut self, name: &str, action: Action, certain: bool, line: usize) {
        self.events.push(Event { name: name.to_owned(), action, certain, line });
    }
}

fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && !name.is_empty()).then_some((name, value))
}
