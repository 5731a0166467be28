//! The threats of the embedded catalogue: every row told, every cell of the matrix accounted for, found by name.

use std::collections::BTreeSet;

use seaworthy_catalog::Catalog;
use seaworthy_core::threat::{self, Stride, Surface};

/// How many rows each of the lists has.
const ROWS: [(&str, usize); 4] = [("DM", 25), ("D", 68), ("KM", 20), ("K", 98)];

#[test]
fn every_row_of_both_lists_is_told_with_its_letters() {
    let catalog = Catalog::embedded();
    let wanted: BTreeSet<String> =
        ROWS.into_iter().flat_map(|(prefix, most)| (1..=most).map(move |n| format!("{prefix}{n:02}"))).collect();
    let rows: BTreeSet<String> = catalog.rows.iter().map(|r| r.id.clone()).collect();
    assert_eq!(rows, wanted);
    for row in &catalog.rows {
        let covering = catalog.find_threats(&row.id.to_lowercase()).unwrap();
        for letter in &row.letters {
            assert!(covering.iter().any(|t| t.stride.contains(letter)), "{} {}", row.id, letter.word());
        }
        assert_eq!(row.surface.is_some(), row.id.contains('M'), "{}", row.id);
        assert!(row.surface.is_none_or(|s| covering.iter().any(|t| t.surface == s)), "{}", row.id);
    }
    // A few that were written down by hand, so that the rows are those of the lists.
    for (id, letters, surface) in [
        ("DM01", &[Stride::Spoofing][..], Some(Surface::DockerRegistry)),
        ("DM12", &[Stride::Tampering, Stride::InformationDisclosure], Some(Surface::DockerRegistry)),
        ("DM23", &[Stride::ElevationOfPrivilege], Some(Surface::DockerClient)),
        ("D28", &[Stride::ElevationOfPrivilege, Stride::Repudiation], None),
        ("D68", &[Stride::Spoofing, Stride::Tampering], None),
        ("KM01", &[Stride::Tampering], Some(Surface::ControlPlane)),
        ("KM17", &[Stride::ElevationOfPrivilege, Stride::InformationDisclosure], Some(Surface::CloudProvider)),
        ("KM18", &[Stride::Spoofing], Some(Surface::NodeRuntime)),
        ("K50", &[Stride::ElevationOfPrivilege], None),
    ] {
        let row = catalog.row(id).unwrap();
        assert_eq!((row.letters.as_slice(), row.surface), (letters, surface), "{id}");
    }
}

/// Whether the platform of a kind or of a check's id is held to its checks and cells: it is from its first threat on.
fn is_told(catalog: &Catalog, name: &str) -> bool {
    let Some((platform, _)) = name.split_once(['.', '/']) else { return true };
    catalog.threats.iter().any(|threat| threat.id.split('/').next() == Some(platform))
}

#[test]
fn every_check_answers_a_threat_or_says_why_not() {
    let catalog = Catalog::embedded();
    for check in catalog.checks.iter().filter(|check| is_told(&catalog, &check.id)) {
        let answers = catalog.threats_of(&check.id).count() > 0;
        let alone = catalog.alone.iter().any(|a| a.check == check.id && !a.reason.trim().is_empty());
        assert!(answers != alone, "{}: answers {answers}, alone {alone}", check.id);
    }
}

#[test]
fn every_cell_of_the_matrix_is_filled_or_blank_for_a_reason() {
    let catalog = Catalog::embedded();
    for (kind, letter) in threat::cells().filter(|(kind, _)| is_told(&catalog, kind)) {
        let filled = catalog.threats.iter().any(|t| t.fills(kind, letter));
        let blank = catalog.blanks.iter().filter(|b| b.kind == kind && b.letter == letter).count();
        assert_eq!(usize::from(filled) + blank, 1, "{kind} {}", letter.word());
    }
    for letter in Stride::ALL {
        assert!(catalog.threats.iter().any(|t| t.stride.contains(&letter)), "{}", letter.word());
    }
}

#[test]
fn a_threat_tells_its_story_and_names_what_is_there() {
    let catalog = Catalog::embedded();
    for threat in &catalog.threats {
        assert_eq!(catalog.threat(&threat.id).map(|t| &t.title), Some(&threat.title));
        assert!(threat.answered.checks().iter().all(|id| catalog.check(id).is_some()), "{}", threat.id);
        let story = &threat.story;
        for part in [&story.who, &story.how, &story.lost, &story.answer, &story.remains] {
            assert!(!part.trim().is_empty() && !part.contains("**"), "{}: {part}", threat.id);
        }
    }
}

#[test]
fn threats_are_found_by_what_people_type() {
    let catalog = Catalog::embedded();
    let ids = |name: &str| -> Vec<String> {
        catalog.find_threats(name).map_or_else(|e| vec![e.to_string()], |t| t.iter().map(|t| t.id.clone()).collect())
    };
    let whole = "docker/container/engine-socket-mounted";
    assert_eq!(ids(whole), [whole]);
    assert_eq!(ids("engine-socket-mounted"), [whole]);
    assert!(ids("D07").contains(&whole.to_owned()));
    assert!(ids("docker/daemon").len() > 10 && ids("docker/daemon/").iter().all(|id| id.starts_with("docker/daemon/")));
    assert_eq!(
        ids("engine-socket-mountd"),
        [format!("nothing in the catalogue is called `engine-socket-mountd`; did you mean `{whole}`?")]
    );
    assert!(ids("nothing-like-it-at-all-anywhere")[0].contains("list threats"));
}
