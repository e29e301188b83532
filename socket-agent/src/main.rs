//! The `socket-agent` command.

fn main() -> std::process::ExitCode {
    socket_agent::cli::main()
}
