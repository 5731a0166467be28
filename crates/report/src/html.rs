//! The page: one file that needs nothing but a browser. No request leaves it, its Content-Security-Policy allows only
//! the style and the script that it brings, and without the script everything is there but filtering.

mod benchmark;
mod changed;
mod elements;
mod facts;
mod first;
mod matrix;
mod paths;
mod text;
mod threats;

#[cfg(test)]
mod tests;

use std::io;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seaworthy_core::assessment::Assessment;
use sha2::{Digest as _, Sha256};

use crate::svg::{self, scene::Scene};
use crate::words;
use text::{name, sentence};

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/page.js");

/// The most entries of a list of gaps or problems.
const GAPS: usize = 200;

/// How the page is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many to harden first; at least one is shown.
    pub top: usize,
    /// How many of the cheapest paths are drawn on the diagram.
    pub paths: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { top: 3, paths: 3 }
    }
}

/// Writes the page.
///
/// # Errors
/// Those of the writer.
pub fn render(
    assessment: &Assessment<'_>,
    since: Option<&Assessment<'_>>,
    options: &Options,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    Page::new(assessment, since, options).write_into(&mut &mut *out)
}

/// A target in the head.
#[derive(Debug)]
struct TargetView {
    name: String,
    platform: String,
    about: String,
    address: String,
    components: String,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    title: String,
    policy: String,
    style: String,
    script: &'static str,
    tool: &'static str,
    collected: String,
    targets: Vec<TargetView>,
    empty: bool,
    gaps: Vec<(String, String, String)>,
    gaps_count: String,
    gaps_more: usize,
    standing: first::Standing,
    top: Vec<first::PriorityView>,
    later: Vec<(String, String)>,
    later_more: usize,
    undetermined: String,
    forecast: Option<(usize, String)>,
    cut: Option<first::CutView>,
    svg: String,
    folded: bool,
    inside: usize,
    left_out: usize,
    elements: Vec<elements::ElementView>,
    flows: Vec<elements::FlowView>,
    zones: Vec<elements::ZoneView>,
    surfaces: Vec<threats::SurfaceView>,
    absent: Vec<String>,
    matrix: matrix::Matrix,
    paths: Vec<paths::PathView>,
    paths_not_shown: usize,
    paths_more: Vec<String>,
    benchmark: Vec<benchmark::SectionView>,
    problems: Vec<String>,
    changed: Option<changed::ChangedView>,
}

impl Page {
    fn new(assessment: &Assessment<'_>, since: Option<&Assessment<'_>>, options: &Options) -> Self {
        let snapshot = assessment.audit.snapshot;
        let first = options.top.max(1);
        let scene = Scene::new(assessment, options.paths);
        let drawing = svg::Options { paths: options.paths, links: true, standalone: false };
        let style = [svg::COLOURS, STYLE, svg::STYLE].concat();
        let gaps = words::gaps(assessment.audit);
        let (top, later, later_more) = first::priorities(assessment, first);
        let (paths, paths_not_shown) = paths::paths(assessment);
        let mut names: Vec<String> = snapshot.targets.iter().take(3).map(|t| name(&t.name)).collect();
        if snapshot.targets.len() > 3 {
            names.push(format!("{} more", words::thousands(snapshot.targets.len() - 3)));
        }
        let problems = assessment.audit.waiver_problems.iter().chain(&assessment.waiver_problems);
        Self {
            title: names.join(", "),
            policy: policy(&style, SCRIPT),
            style,
            script: SCRIPT,
            tool: env!("CARGO_PKG_VERSION"),
            collected: words::instant(snapshot.collected_at),
            targets: snapshot.targets.iter().take(50).map(target).collect(),
            empty: words::is_empty(assessment.audit),
            gaps_count: words::thousands(gaps.len()),
            gaps_more: gaps.len().saturating_sub(GAPS),
            gaps: gaps
                .iter()
                .take(GAPS)
                .map(|(_, g)| (sentence(&g.source), sentence(&g.reason), sentence(&g.affects)))
                .collect(),
            standing: first::standing(assessment),
            forecast: assessment.forecast.as_ref().map(|(taken, of)| (*taken, words::forecast(of))),
            top,
            later,
            later_more,
            undetermined: words::thousands(assessment.counted()[1]),
            cut: first::cut(assessment, first),
            svg: svg::draw(assessment, &scene, &drawing, &svg::dagre::Dagre),
            folded: scene.nodes.len() < assessment.diagram.elements.len(),
            inside: scene.inside,
            left_out: scene.left_out,
            elements: elements::elements(assessment, &scene),
            flows: elements::flows(assessment, &scene),
            zones: elements::zones(assessment, &scene),
            surfaces: threats::surfaces(assessment),
            absent: threats::absent(assessment),
            matrix: matrix::matrix(assessment),
            paths,
            paths_not_shown,
            paths_more: paths::more(assessment),
            benchmark: benchmark::sections(assessment),
            problems: problems.take(GAPS).map(|p| sentence(p)).collect(),
            changed: since.map(|since| changed::changed(assessment, since)),
        }
    }
}

fn target(of: &seaworthy_core::snapshot::Target) -> TargetView {
    TargetView {
        name: name(&of.name),
        platform: name(&of.platform),
        about: sentence(&of.about),
        address: sentence(&of.address),
        components: words::many(of.components.len(), "component"),
    }
}

/// What the browser may load: nothing but this style, this script, and the empty icon.
fn policy(style: &str, script: &str) -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hash(style),
        hash(script)
    )
}
