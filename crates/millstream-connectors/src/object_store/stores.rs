//! Which store a path lies in, and with which credentials it is asked.
//!
//! The usual environment variables hold (`AWS_ACCESS_KEY_ID`, `GOOGLE_SERVICE_ACCOUNT`, `AZURE_STORAGE_ACCOUNT_KEY`, ..);
//! settings go before them. Those of S3 may be given for one bucket: `spark.hadoop.fs.s3a.bucket.NAME.access.key`.
//!
//! | setting | what it says |
//! |---|---|
//! | `spark.hadoop.fs.s3a.access.key`, `.secret.key`, `.session.token` | credentials |
//! | `spark.hadoop.fs.s3a.endpoint`, `.endpoint.region` | another service than Amazon's, or another region |
//! | `spark.hadoop.fs.s3a.path.style.access` | `true`: the bucket is part of the path, not of the host's name |
//! | `spark.hadoop.fs.s3a.connection.ssl.enabled` | `false`: an endpoint without `http://` is asked without encryption |
//! | `spark.hadoop.fs.s3a.aws.credentials.provider` | `..AnonymousAWSCredentialsProvider`: requests are not signed |
//! | `spark.hadoop.fs.s3a.attempts.maximum` | how often a request is sent before it fails |
//! | `spark.hadoop.fs.gs.auth.service.account.json.keyfile` | the file of a service account of Google |
//! | `spark.hadoop.fs.azure.account.key.ACCOUNT.dfs.core.windows.net` | the key of an account of Azure |

use std::sync::Arc;

use millstream_core::fs::FsPath;
use millstream_core::{Conf, Error, Result};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

/// Makes the store that a path lies in.
///
/// # Errors
/// If the path names no bucket, or a setting or variable can not be used.
pub fn store_of(path: &FsPath, conf: &Conf) -> Result<Arc<dyn ObjectStore>> {
    if path.authority().is_empty() {
        let remedy = format!("write {}://BUCKET/NAME", path.scheme());
        return Err(unusable(path, "names no bucket or host".into(), &remedy));
    }
    let made: object_store::Result<Arc<dyn ObjectStore>> = match path.scheme() {
        "s3" | "s3a" | "s3n" => s3(path, conf)?.build().map(|store| Arc::new(store) as _),
        "gs" => gs(path, conf).build().map(|store| Arc::new(store) as _),
        "http" | "https" => {
            let url = format!("{}://{}", path.scheme(), path.authority());
            let options = ClientOptions::new().with_allow_http(true);
            HttpBuilder::new()
                .with_url(url)
                .with_client_options(options)
                .build()
                .map(|store| Arc::new(store) as _)
        }
        _ => azure(path, conf).build().map(|store| Arc::new(store) as _),
    };
    made.map_err(|error| unusable(path, error.to_string(), "check the settings and variables of the store"))
}

fn s3(path: &FsPath, conf: &Conf) -> Result<AmazonS3Builder> {
    let bucket = path.authority();
    let setting = |name: &str| {
        let of_bucket = conf.get_raw(format!("spark.hadoop.fs.s3a.bucket.{bucket}.{name}"));
        of_bucket.or_else(|| conf.get_raw(format!("spark.hadoop.fs.s3a.{name}")))
    };
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
    match (setting("access.key"), setting("secret.key")) {
        (Some(key), Some(secret)) => {
            builder = builder.with_access_key_id(key).with_secret_access_key(secret);
        }
        (None, None) => {}
        (key, _) => {
            let (given, missing) = match key {
                Some(_) => ("access.key", "secret.key"),
                None => ("secret.key", "access.key"),
            };
            return Err(Error::Setting {
                key: format!("spark.hadoop.fs.s3a.{missing}"),
                problem: format!("it is not set, but `spark.hadoop.fs.s3a.{given}` is"),
                remedy: "set both, or neither where the environment has them".into(),
            });
        }
    }
    if let Some(token) = setting("session.token") {
        builder = builder.with_token(token);
    }
    if let Some(region) = setting("endpoint.region") {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = setting("endpoint") {
        let plain = setting("connection.ssl.enabled")
            .is_some_and(|enabled| enabled.trim().eq_ignore_ascii_case("false"));
        let endpoint = match (endpoint.contains("://"), plain) {
            (true, _) => endpoint,
            (false, true) => format!("http://{endpoint}"),
            (false, false) => format!("https://{endpoint}"),
        };
        builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
    }
    if let Some(in_path) = setting("path.style.access") {
        builder = builder.with_virtual_hosted_style_request(!in_path.trim().eq_ignore_ascii_case("true"));
    }
    if setting("aws.credentials.provider")
        .is_some_and(|name| name.contains("AnonymousAWSCredentialsProvider"))
    {
        builder = builder.with_skip_signature(true);
    }
    if let Some(attempts) = setting("attempts.maximum") {
        let attempts: usize =
            attempts.trim().parse().ok().filter(|n| *n > 0).ok_or_else(|| Error::Setting {
                key: "spark.hadoop.fs.s3a.attempts.maximum".into(),
                problem: format!("`{attempts}` is no number of attempts"),
                remedy: "give a number from 1 on".into(),
            })?;
        builder = builder.with_retry(RetryConfig { max_retries: attempts - 1, ..RetryConfig::default() });
    }
    Ok(builder)
}

fn gs(path: &FsPath, conf: &Conf) -> GoogleCloudStorageBuilder {
    let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(path.authority());
    match conf.get_raw("spark.hadoop.fs.gs.auth.service.account.json.keyfile") {
        Some(file) => builder.with_service_account_path(file),
        None => builder,
    }
}

/// Hadoop writes `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/NAME`.
fn azure(path: &FsPath, conf: &Conf) -> MicrosoftAzureBuilder {
    let builder = MicrosoftAzureBuilder::from_env();
    let Some((container, host)) = path.authority().split_once('@') else {
        return builder.with_container_name(path.authority());
    };
    let account = host.split('.').next().unwrap_or(host);
    let builder = builder.with_container_name(container).with_account(account);
    match conf.get_raw(format!("spark.hadoop.fs.azure.account.key.{host}")) {
        Some(key) => builder.with_access_key(key),
        None => builder,
    }
}

fn unusable(path: &FsPath, problem: String, remedy: &str) -> Error {
    Error::Argument { operator: format!("path `{path}`"), problem, remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::aws::AmazonS3ConfigKey as Key;

    fn s3_of(settings: &[(&str, &str)]) -> AmazonS3Builder {
        let conf = settings.iter().fold(Conf::empty(), |conf, (key, value)| conf.set(key, *value));
        s3(&FsPath::parse("s3a://logs/a").unwrap(), &conf).unwrap()
    }

    #[test]
    fn settings_of_s3_are_hadoops() {
        let builder = s3_of(&[
            ("spark.hadoop.fs.s3a.access.key", "general"),
            ("spark.hadoop.fs.s3a.bucket.logs.access.key", "of the bucket"),
            ("spark.hadoop.fs.s3a.secret.key", "secret"),
            ("spark.hadoop.fs.s3a.endpoint", "minio:9000"),
            ("spark.hadoop.fs.s3a.connection.ssl.enabled", "false"),
            ("spark.hadoop.fs.s3a.path.style.access", "True"),
        ]);
        let of = |key| builder.get_config_value(&key);
        assert_eq!(of(Key::Bucket).as_deref(), Some("logs"));
        assert_eq!(of(Key::AccessKeyId).as_deref(), Some("of the bucket"));
        assert_eq!(of(Key::Endpoint).as_deref(), Some("http://minio:9000"));
        assert_eq!(of(Key::VirtualHostedStyleRequest).as_deref(), Some("false"));
        let anonymous = "org.apache.hadoop.fs.s3a.AnonymousAWSCredentialsProvider";
        let builder = s3_of(&[("spark.hadoop.fs.s3a.aws.credentials.provider", anonymous)]);
        assert_eq!(builder.get_config_value(&Key::SkipSignature).as_deref(), Some("true"));
    }

    #[test]
    fn what_can_not_be_used_says_so() {
        let error = |path: &str, conf: Conf| {
            store_of(&FsPath::parse(path).unwrap(), &conf).err().unwrap().to_string()
        };
        assert!(error("s3:///a", Conf::empty()).contains("names no bucket or host; write s3://BUCKET/NAME"));
        let conf = Conf::empty().set("spark.hadoop.fs.s3a.attempts.maximum", "none");
        assert!(error("s3a://b/a", conf).contains("`none` is no number of attempts"));
        let conf = Conf::empty().set("spark.hadoop.fs.s3a.bucket.b.access.key", "key");
        let error = error("s3a://b/a", conf);
        assert!(error.contains("fs.s3a.secret.key") && error.contains("it is not set"), "{error}");
    }
}
