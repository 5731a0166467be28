//! Enough of the shell's grammar to tell which variables a profile sets and exports.
//!
//! Nothing is run. What stands within a condition, a loop, a function or behind `&&` may or may
//! not happen, and is marked so; values that the shell would compute are unknown.

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

#[derive(Debug, PartialEq)]
enum Token {
    Word {
        text: String,
        computed: bool,
        line: usize,
        plain: bool,
    },
    /// `;`, a newline.
    End,
    /// `;;` and its kin.
    CaseEnd,
    /// `&&`, `||`.
    Chain,
    /// `|`, `&`.
    Apart,
    Open,
    Close,
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

/// Splits a script into words and operators. It sees each character once.
struct Lexer<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
    /// Delimiters of here-documents that begin with the next line; true where tabs are stripped.
    heredocs: Vec<(String, bool)>,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        Self { chars: text.chars().peekable(), line: 1, heredocs: Vec::new() }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.chars.next();
        self.line += usize::from(c == Some('\n'));
        c
    }

    fn next_if(&mut self, wanted: char) -> bool {
        let found = self.chars.peek() == Some(&wanted);
        if found {
            self.next();
        }
        found
    }

    fn tokens(mut self) -> Vec<Token> {
        let mut tokens = Vec::new();
        while let Some(c) = self.chars.peek().copied() {
            match c {
                '\n' => {
                    self.next();
                    self.skip_heredocs();
                    tokens.push(Token::End);
                }
                c if c.is_whitespace() => _ = self.next(),
                '#' => {
                    while self.chars.peek().is_some_and(|c| *c != '\n') {
                        self.next();
                    }
                }
                ';' => {
                    self.next();
                    let double = self.next_if(';');
                    let case_end = self.next_if('&') || double;
                    tokens.push(if case_end { Token::CaseEnd } else { Token::End });
                }
                '&' | '|' => {
                    self.next();
                    tokens.push(if self.next_if(c) { Token::Chain } else { Token::Apart });
                }
                '(' | ')' => {
                    self.next();
                    tokens.push(if c == '(' { Token::Open } else { Token::Close });
                }
                '<' => {
                    self.next();
                    if self.next_if('<') && !self.next_if('<') {
                        let strip = self.next_if('-');
                        while self.chars.peek().is_some_and(|c| *c == ' ' || *c == '\t') {
                            self.next();
                        }
                        if let Token::Word { text, .. } = self.word() {
                            self.heredocs.push((text, strip));
                        }
                    }
                }
                '>' => {
                    self.next();
                    _ = self.next_if('&') || self.next_if('>') || self.next_if('|');
                }
                _ => tokens.push(self.word()),
            }
        }
        tokens
    }

    fn skip_heredocs(&mut self) {
        for (delimiter, strip) in std::mem::take(&mut self.heredocs) {
            while self.chars.peek().is_some() {
                let mut line = String::new();
                while let Some(c) = self.next() {
                    if c == '\n' {
                        break;
                    }
                    line.push(c);
                }
                let line = if strip { line.trim_start_matches('\t') } else { &line };
                if line == delimiter {
                    break;
                }
            }
        }
    }

    fn word(&mut self) -> Token {
        let (mut text, mut computed, mut plain) = (String::new(), false, true);
        let line = self.line;
        while let Some(c) = self.chars.peek().copied() {
            match c {
                c if c.is_whitespace() || ";&|()<>".contains(c) => break,
                '\\' => {
                    self.next();
                    if !self.next_if('\n') {
                        text.extend(self.next());
                        plain = false;
                    }
                }
                '\'' => {
                    self.next();
                    plain = false;
                    while let Some(c) = self.next() {
                        if c == '\'' {
                            break;
                        }
                        text.push(c);
                    }
                }
                '"' => {
                    self.next();
                    plain = false;
                    computed |= self.double_quoted(&mut text);
                }
                '$' | '`' => {
                    computed = true;
                    self.next();
                    self.expansion(c, &mut text);
                }
                c => {
                    self.next();
                    text.push(c);
                }
            }
        }
        if text.is_empty() && plain && !computed {
            // Nothing that this grammar knows may stand still.
            self.next();
        }
        Token::Word { text, computed, line, plain: plain && !computed }
    }

    /// True when something in it is computed.
    fn double_quoted(&mut self, text: &mut String) -> bool {
        let mut computed = false;
        while let Some(c) = self.next() {
            match c {
                '"' => break,
                '\\' => match self.next() {
                    Some(c) if "\"\\$`".contains(c) => text.push(c),
                    Some('\n') | None => {}
                    Some(c) => text.extend(['\\', c]),
                },
                '$' | '`' => {
                    computed = true;
                    self.expansion(c, text);
                }
                c => text.push(c),
            }
        }
        computed
    }

    /// Passes over what the shell would compute; its text is kept only for `$NAME`, so that a path
    /// in the home can be told.
    fn expansion(&mut self, begin: char, text: &mut String) {
        let close = match (begin, self.chars.peek()) {
            ('`', _) => {
                while let Some(c) = self.next() {
                    if c == '`' {
                        break;
                    }
                    if c == '\\' {
                        self.next();
                    }
                }
                return;
            }
            (_, Some('(')) => ')',
            (_, Some('{')) => '}',
            _ => return text.push('$'),
        };
        let open = if close == ')' { '(' } else { '{' };
        let mut depth = 0usize;
        let mut inside = String::new();
        while let Some(c) = self.next() {
            match c {
                '\\' => _ = self.next(),
                '\'' if close == ')' => while self.next().is_some_and(|c| c != '\'') {},
                c if c == open => depth += 1,
                c if c == close => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                c => inside.push(c),
            }
        }
        if inside == "HOME" {
            text.push_str("$HOME");
        }
    }
}
