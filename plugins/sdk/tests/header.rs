//! The C header says what `src/abi.rs` says. After a change of that file, `UPDATE_HEADER=1 cargo test -p isacopt-plugin`
//! writes it anew.

use std::fmt::Write;
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::process::Command;

use isacopt_plugin::abi;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn header_file() -> PathBuf {
    folder().join("../include/isacopt_plugin.h")
}

/// A Rust name as C has it: `StepReport` is `isacopt_step_report`.
fn c_name(rust: &str) -> String {
    if rust == "Plugin" {
        // The function has the short name.
        return "isacopt_plugin_table".into();
    }
    rust.chars().fold("isacopt".to_string(), |mut name, c| {
        if c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
        name
    })
}

fn c_type(rust: &str) -> String {
    let rust = rust.trim();
    let pointed = |inner: &str, word: &str| {
        let inner = c_type(inner);
        let star = if inner.ends_with('*') { "*" } else { " *" };
        format!("{word}{inner}{star}")
    };
    if let Some(inner) = rust.strip_prefix("*const ") {
        return pointed(inner, "const ");
    }
    if let Some(inner) = rust.strip_prefix("*mut ") {
        return pointed(inner, "");
    }
    match rust {
        "u8" => "uint8_t".into(),
        "u32" => "uint32_t".into(),
        "i32" => "int32_t".into(),
        "u64" => "uint64_t".into(),
        "f64" => "double".into(),
        "usize" => "size_t".into(),
        "c_void" => "void".into(),
        own => {
            assert!(own.chars().all(|c| c.is_ascii_alphanumeric()), "the generator does not know `{own}`");
            c_name(own)
        }
    }
}

/// `type name`, as C declares it.
fn declared(name: &str, rust: &str) -> String {
    let rust = rust.trim();
    let rust = rust.strip_prefix("Option<").and_then(|inner| inner.strip_suffix('>')).unwrap_or(rust).trim();
    let rust = rust.trim_end_matches(',');
    if let Some(rest) = rust.strip_prefix("unsafe extern \"C\" fn(") {
        let (arguments, result) = rest.split_once(')').expect("a function's type");
        let result = result.trim().strip_prefix("->").map_or("void".to_string(), c_type);
        let arguments = arguments.split(',').map(str::trim).filter(|a| !a.is_empty()).map(|argument| {
            let (name, rust) = argument.split_once(':').expect("named arguments");
            declared(name.trim(), rust)
        });
        return format!("{result} (*{name})({})", arguments.collect::<Vec<_>>().join(", "));
    }
    let c = c_type(rust);
    if c.ends_with('*') { format!("{c}{name}") } else { format!("{c} {name}") }
}

fn comment(lines: &[String], indent: &str) -> String {
    // Rust's links and code marks say nothing in C.
    let plain = |line: &String| line.replace("[`", "").replace("`]", "").replace('`', "");
    let lines: Vec<String> = lines.iter().map(plain).collect();
    let lines: Vec<String> = lines.iter().map(|line| format!("{indent} * {line}").trim_end().to_string()).collect();
    format!("{indent}/*{} */\n", lines.join("\n").trim_start().trim_start_matches('*'))
}

fn generated() -> String {
    let source = std::fs::read_to_string(folder().join("src/abi.rs")).expect("the interface");
    let (mut head, mut docs, mut out) = (Vec::new(), Vec::<String>::new(), String::new());
    let mut fields: Option<(String, String)> = None;
    let mut field = String::new();
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("//!") {
            head.push(text.strip_prefix(' ').unwrap_or(text).to_string());
        } else if let Some(text) = line.strip_prefix("///") {
            docs.push(text.trim().to_string());
        } else if let Some((name, body)) = &mut fields {
            if line == "}" {
                let _ = writeln!(out, "typedef struct {name} {{\n{body}}} {name};\n");
                fields = None;
                continue;
            }
            let _ = write!(field, "{line} ");
            let count = |sign: &str| field.matches(sign).count();
            let whole = count("(") == count(")") && count("<") + count("->") == count(">");
            if whole && line.ends_with(',') {
                let text = field.trim().trim_end_matches(',').strip_prefix("pub ").expect("public fields");
                let (name, rust) = text.split_once(':').expect("a field");
                let _ = writeln!(body, "{}    {};", comment(&docs, "    "), declared(name.trim(), rust));
                (docs, field) = (Vec::new(), String::new());
            }
        } else if let Some(rest) = line.strip_prefix("pub struct ") {
            out += &comment(&docs, "");
            docs.clear();
            fields = Some((c_name(rest.trim_end_matches(" {")), String::new()));
        } else if let Some(rest) = line.strip_prefix("pub const ") {
            let (name, rest) = rest.split_once(": ").expect("a constant");
            let (rust, value) = rest.split_once(" = ").expect("a constant");
            if ["u32", "Status"].contains(&rust) {
                let value = value.trim_end_matches(';');
                let unsigned = if rust == "u32" { "u" } else { "" };
                let _ = writeln!(out, "{}#define ISACOPT_{name} {value}{unsigned}\n", comment(&docs, ""));
            }
            docs.clear();
        } else if line == "pub type Status = i32;" {
            let _ = writeln!(out, "{}typedef int32_t isacopt_status;\n", comment(&docs, ""));
            docs.clear();
        } else if !line.starts_with("#[") {
            docs.clear();
        }
    }
    let about = head.iter().take_while(|line| !line.starts_with("The header")).cloned().collect::<Vec<_>>();
    let about = about.join("\n").trim_end().lines().map(str::to_string).collect::<Vec<_>>();
    format!(
        "{}/* Written from plugins/sdk/src/abi.rs: change that file, and this one is written anew. */\n\n\
         #ifndef ISACOPT_PLUGIN_H\n#define ISACOPT_PLUGIN_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n\
         #if defined(_WIN32)\n#define ISACOPT_EXPORT __declspec(dllexport)\n#elif defined(__GNUC__)\n\
         #define ISACOPT_EXPORT __attribute__((visibility(\"default\")))\n#else\n#define ISACOPT_EXPORT\n#endif\n\n\
         {out}/* What a library exports, under this very name. */\n\
         ISACOPT_EXPORT const isacopt_plugin_table *isacopt_plugin(void);\n\n\
         #ifdef __cplusplus\n}}\n#endif\n\n#endif\n",
        comment(&about, "")
    )
}

#[test]
fn the_header_is_that_of_the_interface() {
    let wanted = generated();
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(header_file(), &wanted).expect("the header");
    }
    let found = std::fs::read_to_string(header_file()).expect("the header");
    assert!(
        found == wanted,
        "plugins/include/isacopt_plugin.h is not that of src/abi.rs: UPDATE_HEADER=1 writes it anew"
    );
}

/// Sizes and places of fields, as assertions in C.
macro_rules! layout {
    ($($name:ident { $($field:ident),* $(,)? })*) => {{
        let mut text = String::new();
        $(
            let c = c_name(stringify!($name));
            let _ = writeln!(text, "_Static_assert(sizeof({c}) == {}, \"{c}\");", size_of::<abi::$name>());
            $(
                let (field, at) = (stringify!($field), offset_of!(abi::$name, $field));
                let _ = writeln!(text, "_Static_assert(offsetof({c}, {field}) == {at}, \"{c}.{field}\");");
            )*
        )*
        text
    }};
}

#[test]
fn c_lays_the_tables_out_as_rust_does() {
    let asserted = layout! {
        Text { data, length }
        Message { data, capacity, length }
        Judged { objective, violation }
        Block { name, offset, coordinates, shape, dimensions, domain, levels, fixed, reserved, scale, lower, upper }
        Problem {
            struct_size, block_size, blocks, block_count, coordinates, free, free_count, limits, direction, repairs,
            gradients, reserved, description
        }
        Host {
            struct_size, user, problem, evaluate, evaluate_batch, evaluate_limits, gradient, repair, project,
            random_design, uniform, normal, report, should_stop, evaluations_left, parameter, last_error
        }
        StepReport { outcome, has_bound, bound }
        Metric { id, length }
        System {
            struct_size, block_size, blocks, block_count, coordinates, metric_size, metrics, metric_count
        }
        Plugin {
            abi_version, reserved, struct_size, manifest, solver_begin, solver_step, solver_best, solver_end,
            metric_begin, metric_value, metric_end
        }
    };
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    if Command::new(&compiler).arg("--version").output().is_err() {
        eprintln!("skipped: there is no C compiler `{compiler}`");
        return;
    }
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let source = out.join("layout.c");
    std::fs::write(&source, format!("#include \"isacopt_plugin.h\"\n{asserted}")).expect("a source");
    let include = header_file();
    let include = include.parent().expect("a folder");
    let mut compile = Command::new(&compiler);
    compile.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-c", "-o"]).arg(out.join("layout.o"));
    let built = compile.arg("-I").arg(include).arg(&source).output().expect("a compiler");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}
