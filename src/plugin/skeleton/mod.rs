//! Plugins to begin with, one a language: the files that `isacopt plugin new` writes.

mod libraries;

/// The languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A shared library in Rust, over the SDK crate.
    Rust,
    /// A shared library in C, over the header.
    C,
    /// A program in Python, over the SDK file.
    Python,
}

/// The files of a plugin, and what to do with them.
#[derive(Clone, Debug)]
pub struct Skeleton {
    /// Paths in the plugin's folder, and texts.
    pub files: Vec<(String, String)>,
    /// Commands to type next, each with a comment.
    pub steps: Vec<String>,
}

/// The skeleton of a plugin of this name.
pub fn of(language: Language, name: &str) -> Skeleton {
    let capital = |(i, c): (usize, char)| if i == 0 { c.to_ascii_uppercase() } else { c };
    let camel: String = name.split('_').flat_map(|word| word.chars().enumerate().map(capital)).collect();
    match language {
        Language::Python => python(name, &camel),
        Language::Rust => libraries::rust(name, &camel),
        Language::C => libraries::c(name),
    }
}

fn python(name: &str, camel: &str) -> Skeleton {
    let fill = |text: &str| text.replace("NAME", name).replace("Camel", camel);
    Skeleton {
        files: vec![
            (format!("{name}.py"), fill(include_str!("plugin.py.txt"))),
            (format!("test_{name}.py"), fill(include_str!("test_plugin.py.txt"))),
            ("experiment.toml".into(), fill(include_str!("experiment.toml.txt"))),
            ("isacopt_plugin.py".into(), include_str!("../../../plugins/python/isacopt_plugin.py").into()),
        ],
        steps: vec![
            format!("python3 test_{name}.py             # the search alone, without isacopt"),
            format!("isacopt plugin test {name}.py      # what every solver promises"),
            "isacopt run experiment.toml     # beside other solvers".into(),
        ],
    }
}
