//! A shell script as words and operators.

/// One element of a script.
#[derive(Debug, PartialEq)]
pub(super) enum Token {
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

/// Splits a script into words and operators. It sees each character once.
pub(super) struct Lexer<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
    /// Delimiters of here-documents that begin with the next line; true where tabs are stripped.
    heredocs: Vec<(String, bool)>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
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

    pub(super) fn tokens(mut self) -> Vec<Token> {
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
