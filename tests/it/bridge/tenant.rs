//! A website of a location: one page that opens the bridge page from a click and writes down all it is told.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const PAGE: &str = r#"<!doctype html><title>Café</title><link rel="icon" href="data:,"><button>Connect WhatsApp</button><script>
    window.told = [];
    addEventListener("message", (event) => told.push({ origin: event.origin, data: event.data }));
    document.querySelector("button").addEventListener("click", () => {
        window.bridge = open(window.address, "bridge", "popup,width=480,height=760");
    });
</script>"#;

/// Serves the page until it is dropped.
pub(crate) struct Tenant {
    pub(crate) origin: String,
    server: JoinHandle<()>,
}

impl Tenant {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        // By another name than the server's, so that not even the host is the same.
        let port = listener.local_addr().expect("an address").port();
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request).await;
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
                         connection: close\r\n\r\n{PAGE}",
                        PAGE.len()
                    );
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self {
            origin: format!("http://localhost:{port}"),
            server,
        }
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        self.server.abort();
    }
}
