//! That `docs/behaviour.md` names for each of its rules a test that there is.
//!
//! Owns how that document is read. Refuses to know whether a rule is right: the tests that it names say so.
//!
//! A rule is an item of a list or a row of a table, and ends in a footnote. The footnote names files and,
//! behind each, tests in it.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_rule_has_a_footnote_and_every_footnote_a_rule() {
    let document = Document::read();
    let used: BTreeSet<&str> = document.text.iter().flat_map(|line| labels(line)).collect();
    let defined: BTreeSet<&str> = document.footnotes.keys().map(String::as_str).collect();
    assert_eq!(used, defined, "the footnotes that are used, and those that there are");
    let rules = rules(&document.text);
    assert!(rules.len() > 50, "only {} rules were found", rules.len());
    let bare: Vec<&String> = rules.iter().filter(|rule| labels(rule).is_empty()).collect();
    assert!(bare.is_empty(), "rules without a test: {bare:#?}");
}

#[test]
fn every_test_that_is_named_exists() {
    let document = Document::read();
    let mut count = 0;
    let mut missing = Vec::new();
    for (label, footnote) in &document.footnotes {
        let named = references(footnote);
        if named.is_empty() {
            missing.push(format!("[^{label}] names no file"));
        }
        for (file, tests) in named {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(&file);
            let Ok(source) = fs::read_to_string(&path) else {
                missing.push(format!("[^{label}] {file} does not exist"));
                continue;
            };
            if tests.is_empty() {
                missing.push(format!("[^{label}] names no test in {file}"));
            }
            count += tests.len();
            let lost = tests.iter().filter(|test| !is_test(&path, &source, test));
            missing.extend(lost.map(|test| format!("[^{label}] {file} has no test {test}")));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(count > 200, "only {count} tests were found");
}

#[test]
fn every_name_of_the_interface_is_in_the_header() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = fs::read_to_string(root.join("include/sio.h")).unwrap();
    let words: BTreeSet<&str> = words(&header).collect();
    let document = Document::read();
    let text = document.text.join("\n");
    let quoted = text.split('`').skip(1).step_by(2).flat_map(self::words);
    let wrong: BTreeSet<&str> = quoted
        .filter(|word| word.starts_with("sio_") || word.starts_with("SIO_"))
        .filter(|word| !words.contains(word))
        .collect();
    assert!(wrong.is_empty(), "not in sio.h: {wrong:?}");
}

#[test]
fn a_test_is_known_by_its_mark_or_by_the_macro_that_makes_it() {
    let rust = "#[test]\n#[cfg(unix)]\nfn one() {}\nfn two() {}\nwith_each_server!(alone: two, three);\n\
                fn three() {}\nfn four() {}\n";
    let is = |name| is_test(Path::new("a.rs"), rust, name);
    assert_eq!(["one", "two", "three", "four", "five"].map(is), [true, true, true, false, false]);
    let c = "static void one(void)\n{\n}\nstatic void two(void)\n{\n}\n    RUN(one);\n    RUN(three);\n";
    let is = |name| is_test(Path::new("a.c"), c, name);
    assert_eq!(["one", "two", "three"].map(is), [true, false, false]);
}

/// The document without its footnotes, line by line, and those.
struct Document {
    text: Vec<String>,
    footnotes: BTreeMap<String, String>,
}

impl Document {
    fn read() -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/behaviour.md");
        let whole = fs::read_to_string(path).unwrap();
        let mut document = Document { text: Vec::new(), footnotes: BTreeMap::new() };
        let mut within: Option<String> = None;
        for line in whole.lines() {
            if let Some((label, rest)) = line.strip_prefix("[^").and_then(|l| l.split_once("]:")) {
                let earlier = document.footnotes.insert(label.into(), rest.into());
                assert!(earlier.is_none(), "two footnotes are called {label}");
                within = Some(label.into());
                continue;
            }
            match within.as_ref().filter(|_| line.starts_with("    ")) {
                Some(label) => {
                    let footnote = document.footnotes.get_mut(label).unwrap();
                    footnote.push('\n');
                    footnote.push_str(line);
                }
                None => {
                    within = None;
                    document.text.push(line.into());
                }
            }
        }
        document
    }
}

/// The items of lists, each with the lines that go on with it, and the rows of tables.
fn rules(text: &[String]) -> Vec<String> {
    let mut rules: Vec<String> = Vec::new();
    let mut within = false;
    for (at, line) in text.iter().enumerate() {
        let next = text.get(at + 1).map_or("", String::as_str);
        if line.starts_with("- ") {
            rules.push(line.clone());
            within = true;
        } else if within && line.starts_with("  ") {
            let rule = rules.last_mut().unwrap();
            rule.push(' ');
            rule.push_str(line.trim());
        } else {
            within = false;
            // A head is the row above the line that draws the table.
            if line.starts_with('|') && !line.starts_with("| ---") && !next.starts_with("| ---") {
                rules.push(line.clone());
            }
        }
    }
    rules
}

/// The footnotes that a line refers to.
fn labels(line: &str) -> Vec<&str> {
    let behind = line.split("[^").skip(1);
    behind.filter_map(|rest| rest.split_once(']').map(|(label, _)| label)).collect()
}

/// The files that a footnote links to, each with the names in backticks that follow it.
fn references(footnote: &str) -> Vec<(String, Vec<String>)> {
    let links = footnote.split("](").skip(1);
    let reference = |link: &str| {
        let (file, rest) = link.split_once(')').expect("the end of a link");
        (file.into(), rest.split('`').skip(1).step_by(2).map(String::from).collect())
    };
    links.map(reference).collect()
}

fn is_test(path: &Path, source: &str, name: &str) -> bool {
    if path.extension().is_some_and(|extension| extension == "c") {
        return source.contains(&format!("static void {name}(void)"))
            && source.contains(&format!("RUN({name})"));
    }
    let lines: Vec<&str> = source.lines().collect();
    let begins = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("fn ")
            .and_then(|l| l.strip_prefix(name))
            .is_some_and(|l| l.starts_with('('))
    };
    let Some(at) = lines.iter().position(|line| begins(line)) else { return false };
    let above = lines[..at].iter().rev().map(|line| line.trim_start());
    let marked = above
        .take_while(|line| line.starts_with('#') || line.starts_with("//"))
        .any(|line| line.starts_with("#[test]"));
    // The long tests of `make soak` are parts of a program.
    let soaks = path.components().any(|part| part.as_os_str() == "soak") && name == "run";
    let mut made = source.split("with_each_server!").skip(1);
    let ends = |list: &str| list.find([';', '}']).unwrap_or(list.len());
    marked || soaks || made.any(|list| words(&list[..ends(list)]).any(|word| word == name))
}

/// The names in a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}
