//! What stands before the S3 service: the route that makes buckets, and the faults.

use std::{
    io,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Bytes, Frame, Incoming},
    service::Service,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{Body, service::S3Service};
use tokio::net::TcpListener;

use super::REGION;

/// `POST` makes a bucket and answers with its name; only tests have this route.
pub(super) const NEW_BUCKET: &str = "/_test/buckets";

/// Requests that go wrong on purpose; each counts down.
#[derive(Debug, Default)]
pub struct Faults {
    slow_downs: AtomicUsize,
    cut_uploads: AtomicUsize,
    cut_downloads: AtomicUsize,
}

impl Faults {
    /// The next `n` requests are answered with 503 `SlowDown`.
    pub fn slow_down(&self, n: usize) {
        self.slow_downs.store(n, Ordering::SeqCst);
    }

    /// The connections of the next `n` uploads are cut in the middle.
    pub fn cut_uploads(&self, n: usize) {
        self.cut_uploads.store(n, Ordering::SeqCst);
    }

    /// The connections of the next `n` downloads are cut in the middle.
    pub fn cut_downloads(&self, n: usize) {
        self.cut_downloads.store(n, Ordering::SeqCst);
    }

    /// Faults that did not happen yet.
    pub fn n_left(&self) -> usize {
        [&self.slow_downs, &self.cut_uploads, &self.cut_downloads]
            .iter()
            .map(|fault| fault.load(Ordering::SeqCst))
            .sum()
    }
}

fn take(fault: &AtomicUsize) -> bool {
    let one_less = |left: usize| left.checked_sub(1);
    fault
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
        .is_ok()
}

/// The service with faults. Cheap to clone.
#[derive(Clone)]
pub(super) struct Front {
    service: S3Service,
    folder: Arc<PathBuf>,
    faults: Arc<Faults>,
    n_buckets: Arc<AtomicUsize>,
}

/// Ends a connection without an answer.
type Cut = Box<dyn std::error::Error + Send + Sync>;

impl Front {
    pub(super) fn new(service: S3Service, folder: PathBuf, faults: Arc<Faults>) -> Self {
        Self {
            service,
            folder: Arc::new(folder),
            faults,
            n_buckets: Arc::default(),
        }
    }

    async fn answer(self, mut request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        if request.method() == Method::POST && request.uri().path() == NEW_BUCKET {
            let name = format!("bucket-{}", self.n_buckets.fetch_add(1, Ordering::SeqCst));
            tokio::fs::create_dir(self.folder.join(&name)).await?;
            return Ok(Response::new(Body::from(name)));
        }
        if take(&self.faults.slow_downs) {
            return slow_down();
        }
        if !names_region(&request) {
            return other_region();
        }
        let is_upload = request.method() == Method::PUT;
        if is_upload && take(&self.faults.cut_uploads) {
            // Some of the body is taken, as by a server that dies then.
            let body = request.body_mut();
            std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
            return Err(cut());
        }
        let is_download = request.method() == Method::GET && request.uri().path().contains("/sha256/");
        let is_cut = is_download && take(&self.faults.cut_downloads);
        let response = Service::call(&self.service, request).await.map_err(|_| cut())?;
        if !is_cut {
            return Ok(response);
        }
        Ok(response.map(|inner| Body::http_body_unsync(Half { inner, is_cut: false })))
    }
}

/// A body that breaks off in the middle of its first piece.
struct Half {
    inner: Body,
    is_cut: bool,
}

impl hyper::body::Body for Half {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.is_cut {
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())));
        }
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(context));
        self.is_cut = true;
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(io::Error::other)?;
            Ok(frame.map_data(|data| data.slice(..data.len() / 2)))
        }))
    }
}

/// Whether the signature, if there is one, is for our region. s3s-fs takes any.
fn names_region(request: &Request<Incoming>) -> bool {
    let header = request.headers().get(hyper::header::AUTHORIZATION);
    let header = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let query = request.uri().query().unwrap_or_default();
    let scope = |slash: &str| format!("{slash}{REGION}{slash}s3{slash}aws4_request");
    let is_signed = header.contains("aws4_request") || query.contains("aws4_request");
    !is_signed || header.contains(&scope("/")) || query.contains(&scope("%2F"))
}

fn other_region() -> Result<Response<Body>, Cut> {
    let xml = format!(
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region is wrong</Message>\
         <Region>{REGION}</Region></Error>"
    );
    error(StatusCode::BAD_REQUEST, xml)
}

fn slow_down() -> Result<Response<Body>, Cut> {
    let xml = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
    error(StatusCode::SERVICE_UNAVAILABLE, xml.to_owned())
}

fn error(status: StatusCode, xml: String) -> Result<Response<Body>, Cut> {
    Ok(Response::builder()
        .status(status)
        .header(hyper::header::CONTENT_TYPE, "application/xml")
        .body(Body::from(xml))?)
}

fn cut() -> Cut {
    io::Error::from(io::ErrorKind::ConnectionReset).into()
}

impl Service<Request<Incoming>> for Front {
    type Response = Response<Body>;
    type Error = Cut;
    type Future = BoxFuture<'static, Result<Response<Body>, Cut>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}

/// Serves every connection until the task is dropped.
pub(super) async fn serve(listener: TcpListener, front: Front) {
    while let Ok((socket, _)) = listener.accept().await {
        let front = front.clone();
        tokio::spawn(async move {
            // A connection that breaks off is what some tests want.
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), front)
                .await;
        });
    }
}
