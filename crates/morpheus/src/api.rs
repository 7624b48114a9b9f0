//! Client of the public HTTP API; it uses nothing that other programs cannot use.

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use protocol::{
    DatasetId, JobId,
    dataset::{Split, UploadReport},
    event::JobEvent,
    problem::Problem,
};
use reqwest::{
    Method, Url,
    header::{AUTHORIZATION, HeaderValue},
    multipart::{Form, Part},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest as _},
};

/// A server and an access token.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    server: Url,
    token: String,
}

/// A file to upload.
pub(crate) struct UploadFile {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Api {
    pub(crate) fn new(server: Url, token: String) -> Self {
        Self {
            http: reqwest::Client::new(),
            server,
            token,
        }
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.send(Method::GET, path, |request| request).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        self.send(Method::POST, path, |request| request.json(body)).await
    }

    pub(crate) async fn upload(
        &self,
        dataset: DatasetId,
        split: Split,
        files: Vec<UploadFile>,
    ) -> anyhow::Result<UploadReport> {
        let split = serde_json::to_value(split)?;
        let mut form = Form::new().text("split", split.as_str().unwrap_or_default().to_owned());
        for UploadFile { name, bytes } in files {
            form = form.part("files", Part::bytes(bytes).file_name(name));
        }
        let path = format!("/api/v1/datasets/{dataset}/items");
        self.send(Method::POST, &path, |request| request.multipart(form))
            .await
    }

    /// Downloads a file by an API path or a signed URL, which may be relative.
    pub(crate) async fn download(&self, address: &str) -> anyhow::Result<Vec<u8>> {
        let url = self
            .server
            .join(address)
            .with_context(|| format!("`{address}` is not a valid URL"))?;
        // A signed URL needs no token; the token is only for our server.
        let is_ours = url.origin() == self.server.origin();
        let mut request = self.http.get(url);
        if is_ours {
            request = request.bearer_auth(&self.token);
        }
        let answer = accepted(request.send().await.map_err(reqwest::Error::without_url)?).await?;
        Ok(answer
            .bytes()
            .await
            .map_err(reqwest::Error::without_url)?
            .to_vec())
    }

    /// Follows a job's events from the one after `after`.
    pub(crate) async fn events(&self, job: JobId, after: i64) -> anyhow::Result<Events> {
        let mut url = self
            .server
            .join(&format!("/api/v1/jobs/{job}/events?after={after}"))?;
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        if url.set_scheme(scheme).is_err() {
            bail!("`{url}` cannot be used as a WebSocket URL");
        }
        let mut request = url.as_str().into_client_request()?;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", self.token))?;
        request.headers_mut().insert(AUTHORIZATION, bearer);
        let (socket, _) = tokio_tungstenite::connect_async(request)
            .await
            .context("failed to follow the job's events")?;
        Ok(Events { socket })
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        with_body: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> anyhow::Result<T> {
        let name = format!("{method} {path}");
        let request = self
            .http
            .request(method, self.server.join(path)?)
            .bearer_auth(&self.token);
        let answer = with_body(request)
            .send()
            .await
            .with_context(|| format!("{name} failed"))?;
        let answer = accepted(answer)
            .await
            .with_context(|| format!("{name} was rejected"))?;
        answer
            .json()
            .await
            .with_context(|| format!("{name} returned an unexpected response"))
    }
}

async fn accepted(answer: reqwest::Response) -> anyhow::Result<reqwest::Response> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let Ok(problem) = answer.json::<Problem>().await else {
        bail!("the server responded with status {status}");
    };
    let mut text = problem.title;
    for part in problem
        .detail
        .iter()
        .cloned()
        .chain(problem.errors.iter().map(ToString::to_string))
    {
        text = format!("{text}: {part}");
    }
    bail!("{text} ({status})")
}

/// The live events of a job.
pub(crate) struct Events {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Events {
    /// The next event; `None` if the server closed the connection.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<JobEvent>> {
        while let Some(message) = self.socket.next().await {
            match message? {
                Message::Text(text) => return Ok(Some(serde_json::from_str(&text)?)),
                Message::Close(_) => return Ok(None),
                _ => {}
            }
        }
        Ok(None)
    }
}
