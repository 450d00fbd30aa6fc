//! The data port beside what this machine could do at best: see `limits --help` and [`harness::limits`].

fn main() -> std::process::ExitCode {
    harness::limits::main()
}
