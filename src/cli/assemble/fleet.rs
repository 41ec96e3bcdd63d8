//! What tells of the fleet, as the configuration names it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use super::settings::fleet_may;
use crate::adapters::alertmanager::Alertmanager;
use crate::adapters::kube::{self, Access};
use crate::adapters::prometheus::{Login, Prometheus, Settings};
use crate::cli::exit::{Exit, Failure};
use crate::config::{self, BaseUrl, Config};
use crate::console::fault::Fault;
use crate::console::fleet::FleetRules;
use crate::controller::{ClusterOutside, FleetOutside};

/// Tokens of the services that tell of the fleet.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub prometheus: Option<SecretString>,
    pub alertmanager: Option<SecretString>,
}

/// Reads them, each only where its service is named.
pub(super) fn tokens(config: &Config, env: impl Iterator<Item = (String, String)>) -> Result<Tokens, Failure> {
    let env: Vec<(String, String)> = env.collect();
    let Config { prometheus, alertmanager, .. } = config;
    let secret = |names, file: Option<&Path>, setting| config::service_secret(names, file, setting, env.clone());
    let mut tokens = Tokens::default();
    if prometheus.url.is_some() {
        tokens.prometheus = secret(&prometheus.token_env, prometheus.token_file.as_deref(), "prometheus.token_file")?;
    }
    if alertmanager.url.is_some() {
        tokens.alertmanager =
            secret(&alertmanager.token_env, alertmanager.token_file.as_deref(), "alertmanager.token_file")?;
    }
    Ok(tokens)
}

/// What can be asked. Sends nothing, and reads no kubeconfig yet: one that is not there today may be tomorrow.
pub(super) fn outside(config: &Config, tokens: Tokens) -> Result<FleetOutside, Failure> {
    let Config { kubernetes, prometheus, alertmanager, budget, .. } = config;
    let cluster = access(config).map(|access| ClusterOutside {
        settings: kube::Settings {
            may_run_login: kubernetes.allow_login,
            connect: budget.connect_timeout,
            request: budget.timeout,
            ..kube::Settings::new(access)
        },
        namespace: kubernetes.namespace.clone(),
        manager_namespace: kubernetes.manager_namespace.clone(),
    });
    let settings = |url: &BaseUrl, token: Option<SecretString>| Settings {
        login: token.map_or(Login::Anonymous, Login::Bearer),
        connect: budget.connect_timeout,
        request: budget.timeout,
        ..Settings::new(url.as_str())
    };
    let wrong = |fault: Fault| Failure::new(Exit::Config, fault.to_string());
    let mut fleet = FleetOutside { cluster, may: fleet_may(config), ..FleetOutside::default() };
    if let Some(url) = &prometheus.url {
        fleet.prometheus = Some(Arc::new(Prometheus::new(&settings(url, tokens.prometheus)).map_err(wrong)?));
    }
    if let Some(url) = &alertmanager.url {
        fleet.alertmanager = Some(Arc::new(Alertmanager::new(&settings(url, tokens.alertmanager)).map_err(wrong)?));
    }
    Ok(fleet)
}

/// By which credentials the cluster is read; `None`: none is configured.
fn access(config: &Config) -> Option<Access> {
    let kubernetes = &config.kubernetes;
    let context = Some(kubernetes.context.clone()).filter(|context| !context.is_empty());
    match &kubernetes.kubeconfig {
        Some(path) => Some(Access::File { path: path.clone(), context }),
        None => kubernetes.in_cluster.then_some(Access::InCluster),
    }
}

/// What the fleet is judged by. Slots that cannot be read are an error: a class would look full or empty by mistake.
pub(super) fn rules(config: &Config) -> Result<FleetRules, Failure> {
    let kubernetes = &config.kubernetes;
    let mut slots = BTreeMap::new();
    for entry in kubernetes.slots.iter() {
        let read = entry.split_once('=').and_then(|(class, count)| Some((class.trim(), count.trim().parse().ok()?)));
        let Some((class, count)) = read.filter(|(class, _)| !class.is_empty()) else {
            let message = format!("kubernetes.slots: `{entry}` is no CLASS=SLOTS, such as runner-x86-v3-pub=120");
            return Err(Failure::new(Exit::Config, message));
        };
        slots.insert(class.into(), count);
    }
    Ok(FleetRules {
        slots,
        namespace: kubernetes.namespace.as_str().into(),
        manager_namespace: kubernetes.manager_namespace.as_str().into(),
        ..FleetRules::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::loaded;
    use super::*;

    fn made(flags: &[(&str, &str, &str)], env: &[(&str, &str)]) -> Result<FleetOutside, Failure> {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = loaded(flags, &[]).config;
        outside(&config, tokens(&config, env)?)
    }

    #[test]
    fn nothing_configured_is_nothing_asked() {
        let fleet = made(&[], &[("KUBECONFIG", "/somewhere")]).unwrap();
        assert!(fleet.cluster.is_none() && fleet.prometheus.is_none() && fleet.alertmanager.is_none());
    }

    #[test]
    fn a_cluster_is_named_by_a_file_or_is_where_we_are() {
        let file = made(&[("-", "kubernetes.kubeconfig", "/k"), ("-", "kubernetes.context", "spack")], &[]).unwrap();
        let settings = file.cluster.unwrap().settings;
        assert_eq!(settings.access, Access::File { path: "/k".into(), context: Some("spack".to_owned()) });
        assert!(!settings.may_run_login);
        let here = made(&[("-", "kubernetes.in_cluster", "true")], &[]).unwrap();
        assert_eq!(here.cluster.unwrap().settings.access, Access::InCluster);
    }

    #[test]
    fn a_token_that_is_none_is_an_error_that_does_not_show_it() {
        let url = [("-", "prometheus.url", "http://127.0.0.1:9090")];
        assert!(made(&url, &[("STACKHAND_PROMETHEUS_TOKEN", "canary")]).unwrap().prometheus.is_some());
        let error = made(&url, &[("STACKHAND_PROMETHEUS_TOKEN", "can ary")]).unwrap_err().to_string();
        assert!(error.contains("STACKHAND_PROMETHEUS_TOKEN") && !error.contains("ary;"), "{error}");
    }

    #[test]
    fn slots_are_read_or_refused() {
        let config = |slots: &str| loaded(&[("-", "kubernetes.slots", slots)], &[]).config;
        let read = rules(&config("runner-x86-v3-pub=120, uo-19 = 2")).unwrap();
        assert_eq!((read.slots["runner-x86-v3-pub"], read.slots["uo-19"]), (120, 2));
        for wrong in ["runner", "runner=", "runner=many", "=3", "runner=-1"] {
            assert!(rules(&config(wrong)).unwrap_err().to_string().contains("CLASS=SLOTS"), "{wrong}");
        }
    }
}
