//! The origin of a request, for the audit log and the limits on sign-ins.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{Extensions, HeaderMap, header, request::Parts},
};
use ipnet::IpNet;
use store::tokens::Browser;

use crate::{error::ApiError, state::AppState};

/// The origin of a request.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// The IP address; unknown for requests through a mailbox.
    pub(crate) address: Option<IpAddr>,
    user_agent: Option<String>,
}

impl Peer {
    pub(crate) fn of(state: &AppState, extensions: &Extensions, headers: &HeaderMap) -> Self {
        let connected = extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(address)| address.ip());
        let user_agent = headers
            .get(header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok());
        Self {
            address: connected.map(|connected| origin(connected, headers, &state.trusted_proxies)),
            user_agent: user_agent.map(short),
        }
    }

    pub(crate) fn shown(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }

    pub(crate) fn browser(self) -> Browser {
        Browser {
            address: self.shown(),
            user_agent: self.user_agent,
        }
    }
}

impl FromRequestParts<AppState> for Peer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        Ok(Self::of(state, &parts.extensions, &parts.headers))
    }
}

/// The client's address. Anyone can send `X-Forwarded-For`; it is read from the right, as long as the
/// previous address is a trusted proxy from the settings.
fn origin(connected: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut origin = connected.to_canonical();
    let values = headers.get_all("x-forwarded-for").iter().rev();
    let said = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.rsplit(','));
    for text in said {
        if !is_trusted(&origin) {
            break;
        }
        match text.trim().parse::<IpAddr>() {
            Ok(address) => origin = address.to_canonical(),
            Err(_) => break,
        }
    }
    origin
}

/// `Firefox on Linux`; for other clients, their own name.
fn short(user_agent: &str) -> String {
    // The order matters: most browsers also call themselves Chrome or Safari.
    const BROWSERS: [(&str, &str); 8] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    let find = |list: &[(&str, &'static str)]| {
        list.iter()
            .find(|(mark, _)| user_agent.contains(mark))
            .map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => user_agent
            .chars()
            .take_while(|character| character.is_ascii_graphic())
            .take(40)
            .collect(),
    }
}

#[cfg(test)]
mod tests;
