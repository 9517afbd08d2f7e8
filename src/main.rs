//! The program.

fn main() -> std::process::ExitCode {
    isacopt::cli::main()
}
