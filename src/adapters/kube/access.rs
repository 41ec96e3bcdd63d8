//! Makes the client out of a kubeconfig, or out of what a pod is given.
//!
//! `kube` reads both. It would also run the program that a kubeconfig names for logins, with our terminal as its own and without a deadline, and
//! put what that program printed, tokens too, into its messages. So programs are refused unless the settings allow them, run without a
//! terminal and within a deadline, and no message of theirs is passed on; nor is one about the YAML, which shows lines of the file.

use std::time::Duration;

use kube::client::AuthError;
use kube::config::{ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config, Error};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use super::answer::innermost;
use super::settings::{Access, Settings};
use crate::adapters::web::is_loopback;
use crate::console::fault::{Asked, Fault, FaultKind};

const WHAT: &str = "set up access to Kubernetes";

fn local(detail: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Local, WHAT, detail)
}

/// The client, and the cluster's address.
pub(super) async fn client(settings: &Settings) -> Result<(Client, String), Fault> {
    let mut config = match &settings.access {
        Access::File { path, context } => {
            let kubeconfig = Kubeconfig::read_from(path).map_err(|error| local(unread(&error, path)))?;
            let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
            let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
            config.map_err(|error| local(unread(&error, path)))?
        }
        Access::InCluster => Config::incluster().map_err(|error| {
            local(format!("this is no pod with a service account ({}); give a kubeconfig", innermost(&error)))
        })?,
    };
    check_login(&mut config, settings.may_run_login)?;
    take_token(&mut config);
    let url = config.cluster_url.to_string();
    if is_loopback(config.cluster_url.host()) {
        // No proxy reaches this machine.
        config.proxy_url = None;
    }
    config.connect_timeout = Some(settings.connect);
    config.read_timeout = None;
    // Tries are counted by whoever knows what may be repeated.
    config.default_retry = false;
    let agent = settings.user_agent.parse().map_err(|_| local("the user agent holds odd characters"))?;
    config.headers.push((http::header::USER_AGENT, agent));
    let made = tokio::task::spawn_blocking(move || {
        // Its queue is served by a task of the runtime.
        Client::try_from(config)
    });
    match timeout(settings.request, made).await {
        Ok(Ok(client)) => client.map(|client| (client, url)).map_err(|error| unmade(&error)),
        Ok(Err(_)) => Err(local("making the client failed")),
        Err(_) => Err(login_late(settings.request)),
    }
}

fn login_late(limit: Duration) -> Fault {
    Fault::new(FaultKind::Timeout, WHAT, format!("the kubeconfig's login did not end within {} s", limit.as_secs_f32()))
}

fn check_login(config: &mut Config, may_run: bool) -> Result<(), Fault> {
    let login = &mut config.auth_info;
    let exec = login.exec.as_ref().map(|exec| exec.command.clone().unwrap_or_default());
    let gcp = login.auth_provider.as_ref().and_then(|provider| provider.config.get("cmd-path").cloned());
    let Some(program) = exec.or(gcp) else { return Ok(()) };
    if !may_run {
        return Err(local(format!(
            "the kubeconfig logs in by running `{}`, which is not allowed; allow it if the file is yours, or use one with a token",
            crate::adapters::web::cut(&program)
        )));
    }
    if let Some(exec) = &mut login.exec {
        exec.interactive_mode = Some(ExecInteractiveMode::Never);
    }
    Ok(())
}

/// Takes a token out of a file that was written by hand: `kube` would send its line break along. Files that are written anew from time to time
/// have none, and are left to it.
fn take_token(config: &mut Config) {
    let login = &mut config.auth_info;
    let Some(path) = login.token_file.as_ref().filter(|_| login.token.is_none()) else { return };
    // One that cannot be read is reported by whoever needs it.
    let Ok(text) = std::fs::read_to_string(path).map(SecretString::from) else { return };
    let token = text.expose_secret().trim();
    if token.len() < text.expose_secret().len() {
        login.token = Some(SecretString::from(token));
    }
}

fn unread(error: &KubeconfigError, path: &std::path::Path) -> String {
    let why = match error {
        KubeconfigError::Parse(_) => "it is no kubeconfig".to_owned(),
        KubeconfigError::ReadConfig(error, _) => error.to_string(),
        KubeconfigError::CurrentContextNotSet => "it has no current context; choose one".to_owned(),
        KubeconfigError::LoadContext(_) => "it has no such context".to_owned(),
        KubeconfigError::LoadClusterOfContext(_) => "it does not have the cluster of the context".to_owned(),
        other => innermost(other),
    };
    format!("{}: {why}", path.display())
}

fn unmade(error: &Error) -> Fault {
    match error {
        Error::Auth(error) => login_failed(WHAT, error),
        other => local(innermost(other)),
    }
}

/// What is wrong with a login, without anything that a login program said.
pub(super) fn login_failed(what: &str, error: &AuthError) -> Fault {
    let why = match error {
        AuthError::AuthExecStart(error) => format!("its program does not start ({error})"),
        AuthError::AuthExecRun { out, .. } => format!("its program failed ({})", out.status),
        AuthError::ReadTokenFile(error, path) => format!("{}: {error}", path.display()),
        AuthError::InvalidBasicAuth(_) | AuthError::InvalidBearerToken(_) => {
            "it holds characters that no login has".to_owned()
        }
        _ => "its program did not give credentials".to_owned(),
    };
    Fault::new(FaultKind::Unauthorized, what, format!("the login of the kubeconfig does not work: {why}"))
        .of(Asked::Kubernetes)
}
