//! Signbell without a screen, from the outside: the real binary, a real authorization server, real
//! tools. Each test has a sandbox, a provider and an engine of its own.

use std::time::Duration;

mod bridge;
mod callback;
mod clock;
mod confirm;
mod conformance;
mod connect;
mod connect_left;
mod connect_packages;
mod contract;
mod demo;
mod device;
mod discovery;
mod doctor;
mod double;
mod dpop;
mod entry;
mod export;
mod fallbacks;
mod forget;
mod forward;
mod forward_run;
mod front;
mod grants;
mod import;
mod keyring_days;
mod lend;
mod look;
mod mcp;
mod mcp_auth;
mod memory;
mod moved;
mod network;
mod outages;
mod ownership;
mod pages;
mod passing;
mod presets;
mod processes;
mod recognition;
mod recovery;
mod relay;
mod replay;
mod rules;
mod secrets;
mod settings;
mod siege;
mod sign_in;
mod sign_out;
mod slips;
mod socket;
mod standing;
mod step_up;
mod survival;
mod tokens;
mod trust;
mod unattended;
mod upgrade;
mod web_page;
mod wire;
mod world;

/// How long anything that has to happen may take: generous, for machines that are busy.
const SOON: Duration = Duration::from_secs(90);
