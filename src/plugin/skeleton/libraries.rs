//! The skeletons of shared libraries: in Rust with the SDK's crate beside it, in C with the header.

use super::Skeleton;

/// The SDK's crate: it goes with the skeleton, so that nothing else is needed.
const SDK: [(&str, &str); 9] = [
    ("Cargo.toml", include_str!("../../../plugins/sdk/Cargo.toml")),
    ("src/abi.rs", include_str!("../../../plugins/sdk/src/abi.rs")),
    ("src/export.rs", include_str!("../../../plugins/sdk/src/export.rs")),
    ("src/host.rs", include_str!("../../../plugins/sdk/src/host.rs")),
    ("src/lib.rs", include_str!("../../../plugins/sdk/src/lib.rs")),
    ("src/manifest.rs", include_str!("../../../plugins/sdk/src/manifest.rs")),
    ("src/metric.rs", include_str!("../../../plugins/sdk/src/metric.rs")),
    ("src/solver.rs", include_str!("../../../plugins/sdk/src/solver.rs")),
    ("src/toy.rs", include_str!("../../../plugins/sdk/src/toy.rs")),
];

/// A shared library in Rust.
pub(super) fn rust(name: &str, camel: &str) -> Skeleton {
    let fill = |text: &str| text.replace("NAME", name).replace("Camel", camel);
    // The trait's own `NAME` stands in the text, too.
    let source = include_str!("plugin.rs.txt").replace("const NAME:", "const \0:");
    let library = format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let library = format!("target/release/{library}");
    let mut files = vec![
        ("Cargo.toml".into(), fill(include_str!("cargo.toml.txt"))),
        ("src/lib.rs".into(), fill(&source).replace("const \0:", "const NAME:")),
        ("experiment.toml".into(), experiment(name, &library)),
    ];
    files.extend(SDK.iter().map(|(path, text)| (format!("isacopt-plugin/{path}"), (*text).to_string())));
    Skeleton {
        files,
        steps: vec![
            "cargo test                       # the search alone, without isacopt".into(),
            "cargo build --release".into(),
            format!("isacopt plugin test {library}   # what every solver promises"),
            "isacopt run experiment.toml      # beside other solvers".into(),
        ],
    }
}

/// A shared library in C.
pub(super) fn c(name: &str) -> Skeleton {
    let fill = |text: &str| text.replace("NAME", name);
    let library = format!("{name}.so");
    Skeleton {
        files: vec![
            (format!("{name}.c"), fill(include_str!("plugin.c.txt"))),
            (format!("test_{name}.c"), fill(include_str!("test_plugin.c.txt"))),
            ("Makefile".into(), fill(include_str!("makefile.txt"))),
            ("isacopt_plugin.h".into(), include_str!("../../../plugins/include/isacopt_plugin.h").into()),
            ("experiment.toml".into(), experiment(name, &library)),
        ],
        steps: vec![
            "make test                        # the search alone, without isacopt".into(),
            "make".into(),
            format!("isacopt plugin test ./{library}   # what every solver promises"),
            "isacopt run experiment.toml      # beside other solvers".into(),
        ],
    }
}

/// The config that sets the plugin beside built-in solvers.
fn experiment(name: &str, library: &str) -> String {
    include_str!("experiment.toml.txt").replace("NAME.py", library).replace("NAME", name)
}
