//! The clients, each with the page that documents its file.

/// A program whose configuration we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Client {
    /// <https://code.claude.com/docs/en/mcp>
    ClaudeCode,
    /// <https://modelcontextprotocol.io/docs/develop/connect-local-servers>
    ClaudeDesktop,
    /// <https://developers.openai.com/codex/mcp>
    Codex,
    /// <https://geminicli.com/docs/tools/mcp-server>
    Gemini,
    /// <https://code.visualstudio.com/docs/copilot/reference/mcp-configuration>
    VsCode,
    /// <https://cursor.com/docs/mcp.md>
    Cursor,
    /// <https://zed.dev/docs/ai/mcp>
    Zed,
    /// <https://docs.windsurf.com/windsurf/cascade/mcp>
    Windsurf,
    /// <https://opencode.ai/docs/mcp-servers/>
    Opencode,
    /// <https://block.github.io/goose/docs/guides/config-files>
    Goose,
    /// git-config(1), `credential.<url>.helper` and `url.<base>.insteadOf`
    Git,
    /// curl(1), `--config`
    Curl,
    /// <https://docs.npmjs.com/cli/v11/configuring-npm/npmrc>
    Npm,
    /// <https://pip.pypa.io/en/stable/topics/configuration/>
    Pip,
    /// <https://doc.rust-lang.org/cargo/reference/registry-authentication.html>
    Cargo,
    /// <https://docs.docker.com/reference/cli/docker/login/#credential-helpers>
    Docker,
    /// <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>
    Kubectl,
}

/// What a client speaks to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// MCP: each service is a server.
    Mcp,
    /// HTTP requests to a service's address.
    Http,
    /// A package registry, whose answers carry addresses.
    Registry,
}

impl Client {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 17] = [
        Self::ClaudeCode,
        Self::ClaudeDesktop,
        Self::Codex,
        Self::Gemini,
        Self::VsCode,
        Self::Cursor,
        Self::Zed,
        Self::Windsurf,
        Self::Opencode,
        Self::Goose,
        Self::Git,
        Self::Curl,
        Self::Npm,
        Self::Pip,
        Self::Cargo,
        Self::Docker,
        Self::Kubectl,
    ];

    /// Its name on the command line, and of the tool that is made for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::ClaudeDesktop => "claude-desktop",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::VsCode => "vscode",
            Self::Cursor => "cursor",
            Self::Zed => "zed",
            Self::Windsurf => "windsurf",
            Self::Opencode => "opencode",
            Self::Goose => "goose",
            Self::Git => "git",
            Self::Curl => "curl",
            Self::Npm => "npm",
            Self::Pip => "pip",
            Self::Cargo => "cargo",
            Self::Docker => "docker",
            Self::Kubectl => "kubectl",
        }
    }

    /// The client of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|client| client.name() == name)
    }

    /// As shown to people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::ClaudeCode => "Claude Code",
            Self::ClaudeDesktop => "Claude Desktop",
            Self::Codex => "Codex CLI",
            Self::Gemini => "Gemini CLI",
            Self::VsCode => "VS Code",
            Self::Cursor => "Cursor",
            Self::Zed => "Zed",
            Self::Windsurf => "Windsurf",
            Self::Opencode => "opencode",
            Self::Goose => "Goose",
            Self::Git | Self::Curl | Self::Npm | Self::Pip | Self::Cargo | Self::Docker | Self::Kubectl => self.name(),
        }
    }

    /// What it speaks.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Git | Self::Curl | Self::Docker | Self::Kubectl => Kind::Http,
            Self::Npm | Self::Pip | Self::Cargo => Kind::Registry,
            _ => Kind::Mcp,
        }
    }

    /// The programs by which it is found; a desktop program may have none in the path.
    #[must_use]
    pub fn programs(self) -> &'static [&'static str] {
        match self {
            Self::ClaudeCode => &["claude"],
            Self::ClaudeDesktop => &["claude-desktop"],
            Self::Codex => &["codex"],
            Self::Gemini => &["gemini"],
            Self::VsCode => &["code"],
            Self::Cursor => &["cursor"],
            Self::Zed => &["zed", "zeditor"],
            Self::Windsurf => &["windsurf"],
            Self::Opencode => &["opencode"],
            Self::Goose => &["goose"],
            Self::Git => &["git"],
            Self::Curl => &["curl"],
            Self::Npm => &["npm"],
            Self::Pip => &["pip", "pip3"],
            Self::Cargo => &["cargo"],
            Self::Docker => &["docker"],
            Self::Kubectl => &["kubectl"],
        }
    }

    /// How it finds `${SIGNBELL_KEY}`: the text in its file that stands for the variable's value.
    #[must_use]
    pub fn variable(self) -> Option<&'static str> {
        match self {
            Self::ClaudeCode | Self::Gemini | Self::Npm => Some("${SIGNBELL_KEY}"),
            Self::VsCode | Self::Cursor | Self::Windsurf => Some("${env:SIGNBELL_KEY}"),
            Self::Opencode => Some("{env:SIGNBELL_KEY}"),
            // It names the variable instead (`bearer_token_env_var`).
            Self::Codex => Some("SIGNBELL_KEY"),
            _ => None,
        }
    }

    /// Whether a key may stand in its file at all: some only start programs.
    #[must_use]
    pub fn takes_key(self) -> bool {
        !matches!(self, Self::ClaudeDesktop | Self::Git | Self::Cargo | Self::Docker | Self::Kubectl)
    }

    /// Whether it can start a program of ours instead of sending a key.
    #[must_use]
    pub fn takes_program(self) -> bool {
        !matches!(self, Self::Curl | Self::Npm | Self::Pip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_and_some_form() {
        for client in Client::ALL {
            assert_eq!(Client::named(client.name()), Some(client));
            assert!(client.takes_key() || client.takes_program(), "{client:?}");
        }
        assert_eq!(Client::named("emacs"), None);
    }
}
