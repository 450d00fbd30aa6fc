//! The data port beside what this machine could do at best, under `cargo bench`: see [`harness::limits`].

fn main() -> std::process::ExitCode {
    harness::limits::main()
}
