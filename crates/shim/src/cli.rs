//! The command line. `shim --help` is the reference.

pub(crate) mod keys;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_mangen::Man;

use crate::client::{self, Gateway};
use crate::ledger::LedgerArgs;
use crate::{chat, check, conform, console, ledger, run, serve, status, swap};

/// Shim makes language models interchangeable: point any SDK or agent at it, and change the model under a name while
/// requests flow.
#[derive(Debug, Parser)]
#[command(name = "shim", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve at once, without configuration: finds keys in the environment and model servers on this machine.
    Up(Listen),
    /// Serve what a configuration file says, and apply it anew when it changes.
    Serve(Serve),
    /// Validate a configuration and report every problem.
    Check(Check),
    /// Prove a configuration: scripted upstreams behind it, every client dialect before it. Nothing real is asked.
    Conform(Conform),
    /// Show what a running gateway serves, and where its live state differs from its file.
    Status(Ask),
    /// List every name clients can ask for.
    Models(Ask),
    /// Talk to a model through a running gateway.
    Chat(Chat),
    /// Start a client such as claude, codex, gemini, opencode, aider or `python app.py`, pointed at the gateway.
    Run(Run),
    /// Change the model under an alias, or take a change back.
    Swap(Swap),
    /// Look at what was recorded of exchanges: verify, export, search, show, tail; or price it anew.
    Ledger(LedgerArgs),
    /// Make, list, rotate and revoke clients' keys, and see how their limits stand.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Print the JSON Schema of the configuration file.
    Schema,
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, with all commands on it.
    Man,
}

/// The usual address of clients.
pub(crate) const CLIENTS: &str = "127.0.0.1:7446";

/// The usual address of operators.
pub(crate) const OPERATORS: &str = "127.0.0.1:7447";

/// Where to listen, and what to tell of it.
#[derive(Args, Debug, Clone)]
pub(crate) struct Listen {
    /// Address for clients; must be on loopback without a configuration.
    #[arg(long, default_value = CLIENTS)]
    pub(crate) listen: std::net::SocketAddr,
    /// Address for operators.
    #[arg(long, default_value = OPERATORS)]
    pub(crate) operators: std::net::SocketAddr,
    /// Write the bound addresses to this file once serving.
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Say what was found as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to serve.
#[derive(Args, Debug, Clone)]
pub(crate) struct Serve {
    /// The configuration file.
    #[arg(long, short, default_value = "shim.toml", value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Write the bound addresses to this file once serving.
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
}

/// What to check.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The configuration file.
    #[arg(long, short, default_value = "shim.toml", value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to prove.
#[derive(Args, Debug)]
pub(crate) struct Conform {
    /// The configuration file. Keys it names need not be set.
    #[arg(long, short, default_value = "shim.toml", value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Prove only this alias, provider/model or provider; may be given again.
    #[arg(long, value_name = "NAME")]
    pub(crate) target: Vec<String>,
    /// Ask only in this dialect of clients (openai-chat, openai-responses, anthropic, gemini); may be given again.
    #[arg(long, value_name = "NAME")]
    pub(crate) dialect: Vec<shim_ir::Dialect>,
    /// Try only this case; may be given again. The report names them.
    #[arg(long, value_name = "NAME")]
    pub(crate) case: Vec<String>,
}

/// Which gateway to ask.
#[derive(Args, Debug, Clone)]
pub(crate) struct Ask {
    /// The operators' address of the gateway: host:port, or an http:// URL.
    #[arg(long, env = "SHIM_OPERATORS", default_value = OPERATORS, value_parser = client::operators)]
    pub(crate) operators: String,
    /// The operators' secret, where the gateway wants one.
    #[arg(long, env = "SHIM_OPERATORS_SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to ask a model.
#[derive(Args, Debug)]
pub(crate) struct Chat {
    /// An alias or provider/model.
    #[arg(default_value = "chat")]
    pub(crate) model: String,
    /// What to say; read from standard input where absent.
    pub(crate) prompt: Option<String>,
    /// The clients' address of the gateway: host:port, or an http:// or https:// URL.
    #[arg(long, env = "SHIM_URL", default_value = "http://127.0.0.1:7446", value_parser = Gateway::parse)]
    pub(crate) url: Gateway,
    /// The gateway's key, where it wants one.
    #[arg(long, env = "SHIM_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// Print one JSON object with text, finish and usage instead of streaming text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to start.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The model the client is to use: an alias or provider/model.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The clients' address of the gateway: host:port, or an http:// or https:// URL.
    #[arg(long, env = "SHIM_URL", default_value = "http://127.0.0.1:7446", value_parser = Gateway::parse)]
    pub(crate) url: Gateway,
    /// The gateway's key, where it wants one.
    #[arg(long, env = "SHIM_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<String>,
}

/// What to swap.
#[derive(Args, Debug)]
pub(crate) struct Swap {
    /// The alias.
    #[arg(required_unless_present = "list")]
    pub(crate) alias: Option<String>,
    /// The target to put under it, as provider/model.
    #[arg(long, conflicts_with_all = ["back", "list"])]
    pub(crate) to: Option<String>,
    /// Commit at once, without gates; the way back is kept.
    #[arg(long, requires = "to")]
    pub(crate) now: bool,
    /// Accept a model the catalogue does not list.
    #[arg(long, requires = "to")]
    pub(crate) force: bool,
    /// Take the last swap back.
    #[arg(long, conflicts_with = "list")]
    pub(crate) back: bool,
    /// List what was swapped and taken back, of the alias where one is named, oldest first.
    #[arg(long)]
    pub(crate) list: bool,
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Up(listen) => serve::up(&listen)?,
        Command::Serve(args) => serve::serve(&args)?,
        Command::Check(args) => return check::check(&args),
        Command::Conform(args) => return conform::conform(args),
        Command::Status(ask) => status::status(&ask)?,
        Command::Models(ask) => status::models(&ask)?,
        Command::Chat(args) => return chat::chat(&args),
        Command::Run(args) => return run::run(&args),
        Command::Swap(args) => swap::swap(&args)?,
        Command::Ledger(args) => return ledger::ledger(&args),
        Command::Keys(command) => crate::keys::keys(&command)?,
        Command::Schema => console::put(&format!("{}\n", shim_config::schema())),
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "shim", &mut out);
            console::put(&String::from_utf8_lossy(&out));
        }
        Command::Man => {
            console::put(&manual()?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The manual page: one, with a section for each command.
fn manual() -> Result<String> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone());
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    for sub in command.get_subcommands() {
        section(sub, &mut out)?;
    }
    man.render_version_section(&mut out)?;
    Ok(String::from_utf8(out)?)
}

/// What there is to say of a command, and of those below it.
fn section(command: &clap::Command, out: &mut Vec<u8>) -> Result<()> {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    out.extend_from_slice(format!(".SH \"{}\"\n", name.to_uppercase()).as_bytes());
    let man = Man::new(command.clone());
    let mut parts = Vec::new();
    man.render_synopsis_section(&mut parts)?;
    man.render_description_section(&mut parts)?;
    man.render_options_section(&mut parts)?;
    out.extend_from_slice(String::from_utf8(parts)?.replace("\n.SH ", "\n.SS ").as_bytes());
    command.get_subcommands().try_for_each(|sub| section(sub, out))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_manual_is_one_page_with_every_command_on_it() {
        let page = super::manual().unwrap();
        assert!(!page.contains("(1)"), "there is no other page");
        let mut command = super::Cli::command().disable_help_subcommand(true);
        command.build();
        let mut open: Vec<_> = command.get_subcommands().collect();
        while let Some(command) = open.pop() {
            let heading = format!(".SH \"{}\"\n", command.get_bin_name().unwrap().to_uppercase());
            assert!(page.contains(&heading), "{heading} is not on the page");
            open.extend(command.get_subcommands());
        }
        assert!(page.contains("ready\\-file") && page.contains("budget\\-window"), "options are on it");
    }

    #[test]
    fn options_stand_under_their_heading() {
        let mut command = super::Cli::command();
        let create = command.find_subcommand_mut("keys").and_then(|keys| keys.find_subcommand_mut("create"));
        let help = create.unwrap().render_long_help().to_string();
        let (before, limits) = help.split_once("Limits:").unwrap();
        assert!(
            before.contains("--operators") && before.contains("--config") && !limits.contains("--secret")
        );
        let reprice =
            command.find_subcommand_mut("ledger").and_then(|ledger| ledger.find_subcommand_mut("reprice"));
        assert!(!reprice.unwrap().render_long_help().to_string().contains("--limit"), "it takes all");
    }

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
