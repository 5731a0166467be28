//! Text for the page: everything bounded and harmless before the template escapes it; Markdown of the catalogue
//! written out with the few tags that it needs.

use std::fmt::Write as _;

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use crate::clean::bounded;
use crate::svg::escape;

/// The most characters of a name.
pub const NAME: usize = 80;

/// The most characters of a sentence that holds names.
pub const SENTENCE: usize = 400;

/// The most characters of a story's paragraph.
const STORY: usize = 8000;

/// A name: harmless, bounded. The template escapes it.
pub fn name(text: &str) -> String {
    bounded(text, NAME).into_owned()
}

/// A sentence: harmless, bounded. The template escapes it.
pub fn sentence(text: &str) -> String {
    bounded(text, SENTENCE).into_owned()
}

/// Markdown of the catalogue as HTML: paragraphs, lists, emphasis, code and links to the web. HTML in it stays text,
/// images become their descriptions.
pub fn markdown(text: &str) -> String {
    let short: String = text.chars().take(STORY).collect();
    let mut out = String::with_capacity(short.len() + 64);
    let mut links = Vec::new();
    for event in Parser::new(&short) {
        write(&mut out, &mut links, event);
    }
    out
}

/// The same for one sentence, without the paragraph around it.
pub fn inline(text: &str) -> String {
    let html = markdown(text);
    let bare = html.strip_prefix("<p>").and_then(|h| h.strip_suffix("</p>"));
    bare.filter(|h| !h.contains("<p>")).map_or_else(|| html.clone(), str::to_owned)
}

fn write(out: &mut String, links: &mut Vec<bool>, event: Event<'_>) {
    match event {
        Event::Start(tag) => start(out, links, &tag),
        Event::End(tag) => end(out, links, tag),
        Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => out.push_str(&escape(&text)),
        Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
            // A String takes every write.
            let _ = write!(out, "<code>{}</code>", escape(&text));
        }
        Event::SoftBreak | Event::HardBreak => out.push('\n'),
        Event::Rule | Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
    }
}

fn start(out: &mut String, links: &mut Vec<bool>, tag: &Tag<'_>) {
    match tag {
        Tag::Paragraph => out.push_str("<p>"),
        Tag::Heading { .. } => out.push_str("<p><strong>"),
        Tag::CodeBlock(_) => out.push_str("<pre><code>"),
        Tag::List(Some(_)) => out.push_str("<ol>"),
        Tag::List(None) => out.push_str("<ul>"),
        Tag::Item => out.push_str("<li>"),
        Tag::Emphasis => out.push_str("<em>"),
        Tag::Strong => out.push_str("<strong>"),
        Tag::Link { dest_url, .. } => {
            let web = dest_url.starts_with("https://") || dest_url.starts_with("http://");
            links.push(web);
            if web {
                let _ = write!(out, "<a rel=\"noreferrer noopener\" href=\"{}\">", escape(dest_url));
            }
        }
        _ => {}
    }
}

fn end(out: &mut String, links: &mut Vec<bool>, tag: TagEnd) {
    match tag {
        TagEnd::Paragraph => out.push_str("</p>"),
        TagEnd::Heading(_) => out.push_str("</strong></p>"),
        TagEnd::CodeBlock => out.push_str("</code></pre>"),
        TagEnd::List(true) => out.push_str("</ol>"),
        TagEnd::List(false) => out.push_str("</ul>"),
        TagEnd::Item => out.push_str("</li>"),
        TagEnd::Emphasis => out.push_str("</em>"),
        TagEnd::Strong => out.push_str("</strong>"),
        TagEnd::Link if links.pop() == Some(true) => out.push_str("</a>"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_keeps_its_words_and_loses_its_teeth() {
        assert_eq!(inline("Set `icc` to **false**."), "Set <code>icc</code> to <strong>false</strong>.");
        assert_eq!(markdown("- a\n- b"), "<ul><li>a</li><li>b</li></ul>");
        let hostile =
            markdown("a <script>x</script> ![i](https://x.test/a.png) [a](javascript:x) [b](https://x.test/\"y)");
        assert!(
            !hostile.contains("<script") && !hostile.contains("<img") && !hostile.contains("javascript"),
            "{hostile}"
        );
        assert_eq!(
            markdown("[b](https://x.test/)"),
            "<p><a rel=\"noreferrer noopener\" href=\"https://x.test/\">b</a></p>"
        );
    }
}
