//! Receivers of notices: a web server that answers as it is told, and a mail server that keeps what it gets.

use std::collections::HashMap;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

use crate::fixture::DEADLINE;

/// What a web server was asked.
pub(super) struct Asked {
    /// By names in lower case.
    pub(super) headers: HashMap<String, String>,
    pub(super) body: String,
}

/// Answers each request with the next status, and then with 200.
pub(super) struct WebServer {
    port: u16,
    asked: mpsc::UnboundedReceiver<Asked>,
    serving: JoinHandle<()>,
}

impl WebServer {
    /// `None` never answers.
    pub(super) async fn start(answers: &[Option<u16>]) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (tell, asked) = mpsc::unbounded_channel();
        let answers = answers.to_vec();
        let mut answers = answers.into_iter();
        let serving = tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((connection, _)) = listener.accept().await {
                let mut connection = BufReader::new(connection);
                let Ok(request) = read_request(&mut connection).await else {
                    continue;
                };
                let _ = tell.send(request);
                match answers.next().unwrap_or(Some(200)) {
                    None => kept.push(connection),
                    Some(status) => {
                        let answer = format!(
                            "HTTP/1.1 {status} -\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                        );
                        let _ = connection.write_all(answer.as_bytes()).await;
                    }
                }
            }
        });
        Ok(Self { port, asked, serving })
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    pub(super) async fn next(&mut self) -> anyhow::Result<Asked> {
        let asked = timeout(DEADLINE, self.asked.recv()).await?;
        asked.ok_or_else(|| anyhow::anyhow!("the server has ended"))
    }

    /// The ids of the next notices.
    pub(super) async fn take(&mut self, n: usize) -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::new();
        for _ in 0..n {
            ids.push(self.next().await?.headers["webhook-id"].clone());
        }
        Ok(ids)
    }

    /// Whether nothing was asked since.
    pub(super) fn is_quiet(&self) -> bool {
        self.asked.is_empty()
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn read_request(connection: &mut BufReader<TcpStream>) -> anyhow::Result<Asked> {
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).await?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let n_bytes = headers.get("content-length").map_or(Ok(0), |text| text.parse())?;
    let mut body = vec![0; n_bytes];
    connection.read_exact(&mut body).await?;
    Ok(Asked {
        headers,
        body: String::from_utf8(body)?,
    })
}

/// Takes mails, after it has turned some conversations away for now.
pub(super) struct MailServer {
    port: u16,
    mails: mpsc::UnboundedReceiver<String>,
    serving: JoinHandle<()>,
}

impl MailServer {
    pub(super) async fn start(n_refused: usize) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (tell, mails) = mpsc::unbounded_channel();
        let serving = tokio::spawn(async move {
            let mut n_seen = 0;
            while let Ok((connection, _)) = listener.accept().await {
                let takes = n_seen >= n_refused;
                n_seen += 1;
                if let Ok(Some(mail)) = converse(BufReader::new(connection), takes).await {
                    let _ = tell.send(mail);
                }
            }
        });
        Ok(Self { port, mails, serving })
    }

    pub(super) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// What the client said in one conversation, with the mail.
    pub(super) async fn next(&mut self) -> anyhow::Result<String> {
        let mail = timeout(DEADLINE, self.mails.recv()).await?;
        mail.ok_or_else(|| anyhow::anyhow!("the server has ended"))
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The server's side of RFC 5321; returns what was said if a mail was taken.
async fn converse(mut connection: BufReader<TcpStream>, takes: bool) -> anyhow::Result<Option<String>> {
    connection.write_all(b"220 here\r\n").await?;
    let (mut said, mut has_mail, mut in_data) = (String::new(), false, false);
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await? == 0 {
            return Ok(has_mail.then_some(said));
        }
        said.push_str(&line);
        let answer = match (in_data, line.trim_end()) {
            (true, ".") => {
                (in_data, has_mail) = (false, true);
                "250 taken\r\n"
            }
            (true, _) => continue,
            (false, line) if line.starts_with("RCPT") && !takes => "451 later\r\n",
            (false, "DATA") => {
                in_data = true;
                "354 go on\r\n"
            }
            (false, "QUIT") => {
                connection.write_all(b"221 bye\r\n").await?;
                return Ok(has_mail.then_some(said));
            }
            (false, _) => "250 fine\r\n",
        };
        connection.write_all(answer.as_bytes()).await?;
    }
}
