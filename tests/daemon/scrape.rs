//! What the daemon answers, and to whom.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::daemon::{ADDRESS, Host, Metrics, get, get_from, handled};
use super::world::{Sender, cable, capture, in_namespace};

const CONFIG: &str = "interfaces: [{interface: out}]\n\
                      threads: 2\n\
                      outputs: [{type: file, path: DIR/eve.json}]\n";

#[test]
fn every_path_answers() {
    in_namespace("scrape::every_path_answers", || {
        cable("in", "out");
        let host = Host::new(CONFIG);
        let daemon = host.start();
        let frames = capture("demo.pcap");
        Sender::new("in").send_all(&frames);
        handled(&daemon, frames.len());
        let json = |path: &str| -> Value {
            let (status, body) = get(path).unwrap();
            assert_eq!(status, 200, "{path}: {body}");
            serde_json::from_str(&body).unwrap()
        };
        assert_eq!(get("/healthz").unwrap(), (200, "alive\n".to_owned()));
        assert_eq!(get("/readyz").unwrap(), (200, "ready\n".to_owned()));

        let list = |name: &str| {
            let document = json(&format!("/api/v1/{name}?limit=1000"));
            document[name].as_array().unwrap_or_else(|| panic!("{document}")).clone()
        };
        let alerts = list("alerts");
        let levels: f64 = Metrics::now().sum("gridtap_alerts_total{");
        assert!(!alerts.is_empty() && alerts.len() as f64 == levels, "{levels}");
        assert!(alerts.iter().all(|alert| alert["event_type"] == "alert"));
        let address = |row: &Value| row["address"].as_str().unwrap().to_owned();
        let stations: Vec<_> = list("stations").iter().map(address).collect();
        assert!(stations.contains(&"10.30.1.10".to_owned()), "{stations:?}");
        let brokers: Vec<_> = list("brokers").iter().map(address).collect();
        assert!(brokers.contains(&"10.20.0.20".to_owned()), "{brokers:?}");
        let flows = list("flows");
        assert!(!flows.is_empty() && flows.iter().all(|flow| flow["event_type"] == "flow"));
        let rules = list("rules");
        assert!(rules.iter().any(|rule| rule["title"] == "Control Command Marked As A Test"));
        let hash = Metrics::now().label("gridtap_rules_info", "hash");
        assert_eq!(json("/api/v1/rules?limit=1")["hash"], hash);
        assert_eq!(json("/api/v1/rules?limit=1")["rules"].as_array().unwrap().len(), 1);
        for wrong in ["/", "/api/v1/", "/api/v1/packets", "/api/v1/rules?limit=x"] {
            let (status, body) = get(wrong).unwrap();
            assert!((400..500).contains(&status) && body.contains("error"), "{wrong}: {body}");
        }
        daemon.end();
    });
}

#[test]
fn promtool_finds_nothing_to_say() {
    in_namespace("scrape::promtool_finds_nothing_to_say", || {
        cable("in", "out");
        let host = Host::new(CONFIG);
        let daemon = host.start();
        let frames = capture("injection.pcap");
        Sender::new("in").send_all(&frames);
        handled(&daemon, frames.len());
        let page = Metrics::now();
        daemon.end();
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        promtool.stdin.take().unwrap().write_all(page.page().as_bytes()).unwrap();
        let said = promtool.wait_with_output().unwrap();
        assert!(
            said.status.success() && said.stdout.is_empty() && said.stderr.is_empty(),
            "{said:?}"
        );
    });
}

/// A Prometheus server, as Debian has it.
struct Prometheus(Child);

const PROMETHEUS: &str = "127.0.0.1:9090";

impl Prometheus {
    fn start(host: &Host) -> Self {
        let config = format!(
            "global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}\n\
             scrape_configs:\n\
             - job_name: gridtap\n  \
               static_configs: [{{targets: ['{ADDRESS}']}}]\n"
        );
        fs::write(host.path("prometheus.yml"), config).unwrap();
        let log = fs::File::create(host.path("prometheus.log")).unwrap();
        let server = Command::new("prometheus")
            .arg(format!("--config.file={}", host.path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", host.path("prometheus").display()))
            .arg(format!("--web.listen-address={PROMETHEUS}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self(server)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_prometheus_server_scrapes_it() {
    in_namespace("scrape::a_prometheus_server_scrapes_it", || {
        cable("in", "out");
        let host = Host::new(CONFIG);
        let daemon = host.start();
        let _prometheus = Prometheus::start(&host);
        let mut sent = 0;
        let frames = capture("demo.pcap");
        for _ in 0..2 {
            Sender::new("in").send_all(&frames);
            sent += frames.len();
            daemon.comes("the number of packets in Prometheus", || {
                let (_, body) = get_from(PROMETHEUS, "/api/v1/query?query=gridtap_packets_total")?;
                let answer: Value = serde_json::from_str(&body).ok()?;
                let sample = &answer["data"]["result"][0];
                let right = sample["value"][1].as_str() == Some(&sent.to_string())
                    && sample["metric"]["job"] == "gridtap"
                    && sample["metric"]["instance"] == ADDRESS;
                right.then_some(())
            });
        }
        // It holds its connection: that must not be in the way.
        daemon.end();
    });
}
