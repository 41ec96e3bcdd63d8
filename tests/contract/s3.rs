//! The practice world's S3, held to what the real SDK expects of S3.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::EncodingType;
use serde_json::Value;
use stackhand::sandbox::{Fault, FaultKind};

use crate::server::Server;

const BUCKET: &str = "spack-binaries";

/// A client with these keys, or with none.
fn client(server: &Server, keys: Option<(&str, &str)>) -> Client {
    let s3 = &server.running.s3;
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(s3.region))
        .endpoint_url(&s3.url)
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .force_path_style(true);
    let config = match keys {
        Some((id, secret)) => config.credentials_provider(Credentials::new(id, secret, None, None, "test")),
        None => config.allow_no_auth(),
    };
    Client::from_conf(config.build())
}

fn operator(server: &Server) -> Client {
    let s3 = &server.running.s3;
    client(server, Some((&s3.access_key, &s3.secret_key)))
}

/// Status and code of a refusal.
fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    answer: Result<T, SdkError<E, aws_sdk_s3::config::http::HttpResponse>>,
) -> (u16, String) {
    let error = answer.unwrap_err();
    let status = error.raw_response().unwrap().status().as_u16();
    (status, error.code().unwrap_or_default().to_owned())
}

/// A key as it is, from a listing that writes keys as URLs do.
fn plain(key: &str) -> String {
    percent_encoding::percent_decode_str(&key.replace('+', " ")).decode_utf8().unwrap().into_owned()
}

/// All keys below a prefix, in pages of `size`.
async fn keys(client: &Client, prefix: &str, size: i32) -> Vec<String> {
    // Some keys hold what XML cannot.
    let list = client.list_objects_v2().bucket(BUCKET).prefix(prefix).encoding_type(EncodingType::Url);
    let mut pages = list.into_paginator().page_size(size).send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.contents().len() <= size as usize && page.key_count() == Some(page.contents().len() as i32));
        keys.extend(page.contents().iter().map(|object| plain(object.key().unwrap())));
    }
    keys
}

async fn get(client: &Client, bucket: &str, key: &str) -> Vec<u8> {
    let answer = client.get_object().bucket(bucket).key(key).send().await.unwrap();
    let length = answer.content_length().unwrap() as usize;
    let bytes = answer.body.collect().await.unwrap().to_vec();
    assert_eq!(bytes.len(), length, "{key}");
    bytes
}

fn hex(bytes: &[u8]) -> String {
    stackhand::spack::buildcache::Checksum::of(bytes).to_string()
}

#[tokio::test]
async fn pages_list_every_key_once_and_in_order() {
    let server = Server::start().await;
    let client = operator(&server);
    let all = server.running.s3_objects(BUCKET).unwrap();
    assert!(all.windows(2).all(|pair| pair[0].key < pair[1].key), "sorted, and nothing twice");
    for (prefix, size) in
        [("", 1_000), ("develop/radiuss", 333), ("develop/tutorial/", 7), ("develop/e4s/blobs/", 1_000)]
    {
        let want: Vec<&str> = all.iter().map(|o| o.key.as_str()).filter(|key| key.starts_with(prefix)).collect();
        assert_eq!(keys(&client, prefix, size).await, want, "{prefix}");
    }
    let bytes: u64 = all.iter().map(|object| object.size).sum();
    eprintln!("{} objects, {} bytes", all.len(), bytes);
    assert!(bytes > 2_000_000_000_000, "{bytes} bytes are no caches of Spack's");
    assert_eq!(keys(&client, "develop/nothing-here/", 10).await, Vec::<String>::new());
}

#[tokio::test]
async fn folders_are_rolled_up_and_start_after_and_the_first_version_hold() {
    let server = Server::start().await;
    let client = operator(&server);
    let all = server.running.s3_objects(BUCKET).unwrap();
    for prefix in ["", "develop/", "develop/e4s/", "develop/e4s/v3/manifests/spec/", "releases/", "dev"] {
        let (mut files, mut folders) = (BTreeSet::new(), BTreeSet::new());
        for key in all.iter().filter_map(|o| o.key.strip_prefix(prefix)) {
            match key.split_once('/') {
                Some((folder, _)) => folders.insert(format!("{prefix}{folder}/")),
                None => files.insert(format!("{prefix}{key}")),
            };
        }
        for size in [1_000, 3] {
            let request = client.list_objects_v2().bucket(BUCKET).prefix(prefix).delimiter("/");
            let mut pages = request.into_paginator().page_size(size).send();
            let (mut seen, mut rolled) = (Vec::new(), Vec::new());
            while let Some(page) = pages.next().await {
                let page = page.unwrap();
                seen.extend(page.contents().iter().map(|o| o.key().unwrap().to_owned()));
                rolled.extend(page.common_prefixes().iter().map(|f| f.prefix().unwrap().to_owned()));
            }
            assert_eq!(seen, files.iter().cloned().collect::<Vec<_>>(), "{prefix} {size}");
            assert_eq!(rolled, folders.iter().cloned().collect::<Vec<_>>(), "{prefix} {size}");
        }
    }
    let third = &all[2].key;
    let later = client.list_objects_v2().bucket(BUCKET).start_after(third).max_keys(2).send().await.unwrap();
    assert_eq!(later.contents()[0].key(), Some(all[3].key.as_str()));
    let none = client.list_objects_v2().bucket(BUCKET).max_keys(0).send().await.unwrap();
    assert_eq!((none.is_truncated(), none.key_count()), (Some(false), Some(0)));
    let first =
        client.list_objects().bucket(BUCKET).prefix("develop/").delimiter("/").max_keys(4).send().await.unwrap();
    assert_eq!((first.is_truncated(), first.common_prefixes().len()), (Some(true), 4));
    let marker = first.next_marker().unwrap();
    let second = client.list_objects().bucket(BUCKET).prefix("develop/").delimiter("/").marker(marker).send().await;
    assert!(second.unwrap().common_prefixes()[0].prefix().unwrap() > marker);
    let odd = client.list_objects_v2().bucket(BUCKET).prefix("develop/data-vis-sdk/notes");
    let odd = odd.encoding_type(EncodingType::Url).send().await.unwrap();
    assert_eq!(odd.contents()[0].key(), Some("develop/data-vis-sdk/notes%2Bplans+%2541.txt"));
    let wrong = client.list_objects_v2().bucket(BUCKET).continuation_token("no token").send().await;
    assert_eq!(refusal(wrong), (400, "InvalidArgument".to_owned()));
}

#[tokio::test]
async fn what_is_listed_can_be_read_and_blobs_hash_to_their_names() {
    let server = Server::start().await;
    let client = client(&server, None);
    let (mut metadata, mut tarballs) = (0, 0);
    for (bucket, prefix) in [(BUCKET, "develop/build_systems/"), ("spack-binaries-prs", "spack-packages/")] {
        let all = server.running.s3_objects(bucket).unwrap();
        for object in all.iter().filter(|o| o.key.starts_with(prefix)) {
            let head = client.head_object().bucket(bucket).key(&object.key).send().await.unwrap();
            assert_eq!(head.content_length(), Some(object.size as i64), "{}", object.key);
            assert_eq!(head.e_tag(), Some(format!("\"{}\"", object.etag).as_str()));
            assert_eq!(head.last_modified().unwrap().secs(), object.modified.millis() / 1_000);
            if head.metadata().is_some_and(|m| m.contains_key("sparse")) {
                tarballs += 1;
                continue;
            }
            let bytes = get(&client, bucket, &object.key).await;
            assert_eq!(bytes.len() as u64, object.size, "{}", object.key);
            if let Some((_, name)) = object.key.rsplit_once("/sha256/") {
                assert_eq!(hex(&bytes), name.split_once('/').unwrap().1, "{}", object.key);
                metadata += usize::from(bytes.starts_with(&[0x1f, 0x8b]));
            }
        }
    }
    assert!(metadata > 60 && tarballs > 60, "{metadata} {tarballs}");
}

#[tokio::test]
async fn manifests_lead_to_their_blobs_and_indexes_say_what_is_there() {
    let server = Server::start().await;
    let client = operator(&server);
    let root = "develop/radiuss/";
    let all = server.running.s3_objects(BUCKET).unwrap();
    let sizes: BTreeMap<&str, u64> = all.iter().filter_map(|o| Some((o.key.strip_prefix(root)?, o.size))).collect();
    let blob = |record: &Value| {
        let sum = record["checksum"].as_str().unwrap();
        format!("blobs/sha256/{}/{sum}", &sum[..2])
    };
    let body = |text: &str| {
        let begin = text.find('{').unwrap();
        serde_json::from_str::<Value>(&text[begin..=text.rfind("\n}").unwrap() + 1]).unwrap()
    };
    let (mut good, mut lost) = (BTreeSet::new(), 0);
    for key in sizes.keys().filter(|key| key.ends_with(".spec.manifest.json")) {
        let text = String::from_utf8(get(&client, BUCKET, &format!("{root}{key}")).await).unwrap();
        assert!(text.starts_with("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{"), "{text}");
        let records = body(&text)["data"].clone();
        let (tarball, metadata) = (&records[0], &records[1]);
        assert_eq!(tarball["mediaType"], "application/vnd.spack.install.v2.tar+gzip");
        let there = |record: &Value| sizes.get(blob(record).as_str()).copied() == record["contentLength"].as_u64();
        lost += usize::from(!(there(tarball) && there(metadata)));
        if there(metadata) {
            let packed = get(&client, BUCKET, &format!("{root}{}", blob(metadata))).await;
            let mut text = String::new();
            flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
            let hash = serde_json::from_str::<Value>(&text).unwrap()["spec"]["nodes"][0]["hash"].clone();
            assert!(key.contains(hash.as_str().unwrap()), "{key}");
            good.insert(hash.as_str().unwrap().to_owned());
        }
    }
    let manifest = get(&client, BUCKET, &format!("{root}v3/manifests/index/index.manifest.json")).await;
    let record = body(&String::from_utf8(manifest).unwrap())["data"][0].clone();
    let index = get(&client, BUCKET, &format!("{root}{}", blob(&record))).await;
    assert_eq!(hex(&index), record["checksum"].as_str().unwrap());
    let index: Value = serde_json::from_slice(&index).unwrap();
    let installs = index["database"]["installs"].as_object().unwrap();
    let present = installs.iter().filter(|(_, record)| record["in_buildcache"] == true).map(|(hash, _)| hash.clone());
    let present: BTreeSet<String> = present.collect();
    assert!(good.len() > 150 && lost < 10, "{} {lost}", good.len());
    assert!(present.len() > 150 && present.difference(&good).count() < 10, "holes are few");
    let mut counts: BTreeMap<&str, u64> = installs.keys().map(|hash| (hash.as_str(), 0)).collect();
    for dep in installs.values().flat_map(|record| record["spec"]["dependencies"].as_array().into_iter().flatten()) {
        *counts.get_mut(dep["hash"].as_str().unwrap()).expect("every dependency has a record") += 1;
    }
    assert!(installs.iter().all(|(hash, record)| record["ref_count"] == counts[hash.as_str()]));
}

#[tokio::test]
async fn objects_come_in_parts_or_not_at_all_when_they_are_known() {
    let server = Server::start().await;
    let client = operator(&server);
    let key = "develop/e4s/README.md";
    let whole = client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
    let tag = whole.e_tag().unwrap().to_owned();
    assert_eq!(whole.body.collect().await.unwrap().to_vec(), b"Moved to the wiki.\n");
    for (range, want) in [("bytes=6-8", "to "), ("bytes=-5", "iki.\n"), ("bytes=13-", "wiki.\n")] {
        let part = client.get_object().bucket(BUCKET).key(key).range(range).send().await.unwrap();
        assert!(part.content_range().unwrap().ends_with("/19"));
        assert_eq!(part.body.collect().await.unwrap().to_vec(), want.as_bytes(), "{range}");
    }
    let beyond = client.get_object().bucket(BUCKET).key(key).range("bytes=19-").send().await;
    assert_eq!(refusal(beyond), (416, "InvalidRange".to_owned()));
    let known = client.get_object().bucket(BUCKET).key(key).if_none_match(&tag).send().await;
    assert_eq!(refusal(known).0, 304);
    let other = client.get_object().bucket(BUCKET).key(key).if_none_match("\"other\"").send().await;
    assert_eq!(other.unwrap().e_tag(), Some(tag.as_str()));
    let changed = client.get_object().bucket(BUCKET).key(key).if_match("\"other\"").send().await;
    assert_eq!(refusal(changed), (412, "PreconditionFailed".to_owned()));
    let all = server.running.s3_objects(BUCKET).unwrap();
    let big = all.iter().filter(|o| o.key.contains("/blobs/")).max_by_key(|o| o.size).unwrap();
    assert!(big.size > 4_000_000_000, "{}", big.size);
    let end = format!("bytes={}-", big.size - 200_000);
    let zeros = client.get_object().bucket(BUCKET).key(&big.key).range(end).send().await.unwrap();
    assert_eq!(zeros.metadata().unwrap()["sparse"], "true");
    assert_eq!(zeros.body.collect().await.unwrap().to_vec(), vec![0; 200_000]);
}

#[tokio::test]
async fn anybody_reads_the_operator_sees_the_buckets_and_nobody_writes() {
    let server = Server::start().await;
    let (operator, anybody) = (operator(&server), client(&server, None));
    let buckets = operator.list_buckets().send().await.unwrap();
    let names: Vec<&str> = buckets.buckets().iter().map(|b| b.name().unwrap()).collect();
    assert_eq!(names, ["spack-binaries", "spack-binaries-prs"]);
    operator.head_bucket().bucket(BUCKET).send().await.unwrap();
    anybody.list_objects_v2().bucket(BUCKET).max_keys(1).send().await.unwrap();
    get(&anybody, BUCKET, "develop/e4s/v3/layout.json").await;
    assert_eq!(refusal(anybody.list_buckets().send().await), (403, "AccessDenied".to_owned()));
    for client in [&operator, &anybody] {
        let put = client.put_object().bucket(BUCKET).key("x").body(b"x".to_vec().into()).send().await;
        assert_eq!(refusal(put), (403, "AccessDenied".to_owned()));
        let delete = client.delete_object().bucket(BUCKET).key("index.html").send().await;
        assert_eq!(refusal(delete), (403, "AccessDenied".to_owned()));
    }
    let wrong = client(&server, Some((&server.running.s3.access_key, "wrong")));
    let list = wrong.list_objects_v2().bucket(BUCKET).send().await;
    assert_eq!(refusal(list), (403, "SignatureDoesNotMatch".to_owned()));
    let stranger = client(&server, Some(("AKIASOMEBODY", "x")));
    let list = stranger.list_objects_v2().bucket(BUCKET).send().await;
    assert_eq!(refusal(list), (403, "InvalidAccessKeyId".to_owned()));
    let nothing = operator.get_object().bucket(BUCKET).key("develop/e4s/v3/nothing").send().await;
    assert_eq!(refusal(nothing), (404, "NoSuchKey".to_owned()));
    let nowhere = operator.list_objects_v2().bucket("no-such-bucket").send().await;
    assert_eq!(refusal(nowhere), (404, "NoSuchBucket".to_owned()));
    assert_eq!(refusal(operator.head_object().bucket(BUCKET).key("x").send().await).0, 404);
}

#[tokio::test]
async fn pushes_and_indexes_appear_as_jobs_succeed() {
    let server = Server::start().await;
    let names = |server: &Server, root: &str| -> BTreeMap<String, (u64, i64)> {
        let all = server.running.s3_objects(BUCKET).unwrap();
        let below = |o: &stackhand::sandbox::S3Object| o.key.strip_prefix(root).map(str::to_owned);
        all.iter().filter_map(|o| Some((below(o)?, (o.size, o.modified.millis())))).collect()
    };
    let root = "develop/radiuss/";
    let before = names(&server, root);
    let index = "v3/manifests/index/index.manifest.json";
    let old = String::from_utf8(get(&client(&server, None), BUCKET, &format!("{root}{index}")).await).unwrap();
    let (_, old) = old.split_once("\"checksum\":\"").unwrap();
    let old = format!("blobs/sha256/{}/{}", &old[..2], &old[..64]);
    let manifests =
        |of: &BTreeMap<String, (u64, i64)>| of.keys().filter(|k| k.ends_with(".spec.manifest.json")).count();
    server.pass(1_200);
    let after = names(&server, root);
    assert!(manifests(&after) > manifests(&before), "builds push");
    let new: Vec<&String> = after.keys().filter(|key| !before.contains_key(*key)).collect();
    assert!(new.iter().filter(|key| key.starts_with("blobs/")).count() >= 2);
    let now = server.running.world(|world| world.now().millis());
    assert!(new.iter().all(|key| after[*key].1 <= now && after[*key].1 > now - 1_300_000));
    // Long enough for every stack to be indexed, and for the publisher.
    let top = names(&server, "develop/v3/");
    server.pass(9 * 3_600);
    let late = names(&server, root);
    assert!(late[index].1 > before[index].1, "the index is written anew");
    assert!(before.contains_key(&old) && late[&old] == before[&old], "the old one stays behind");
    assert!(names(&server, "develop/v3/").len() > top.len(), "what was signed is published");
}

#[tokio::test]
async fn the_same_seed_and_time_give_the_same_bytes() {
    let (one, other) = (Server::start().await, Server::start().await);
    // Looked into at different moments, and in another order.
    one.running.s3_objects("spack-binaries-prs").unwrap();
    one.running.s3_objects(BUCKET).unwrap();
    for server in [&one, &other] {
        server.pass(2_400);
    }
    for bucket in [BUCKET, "spack-binaries-prs"] {
        let [a, b] = [&one, &other].map(|server| server.running.s3_objects(bucket).unwrap());
        assert!(a == b, "{bucket}");
    }
    let sample = one.running.s3_objects(BUCKET).unwrap();
    let (first, second) = (client(&one, None), client(&other, None));
    for object in sample.iter().filter(|o| o.size < 1 << 20).step_by(997) {
        assert_eq!(get(&first, BUCKET, &object.key).await, get(&second, BUCKET, &object.key).await, "{}", object.key);
    }
}

#[tokio::test]
async fn faults_strike_the_storage_as_ordered_and_requests_are_counted_apart() {
    let server = Server::start().await;
    let client = operator(&server);
    let list = || client.list_objects_v2().bucket(BUCKET).prefix("develop/build_systems/").send();
    list().await.unwrap();
    assert_eq!((server.running.s3_requests(), server.running.requests()), (1, 0));
    for (kind, status, code) in [
        (FaultKind::Forbidden, 403, "AccessDenied"),
        (FaultKind::NotFound, 404, "NoSuchBucket"),
        (FaultKind::SlowDown, 503, "SlowDown"),
        (FaultKind::ServerError, 500, "InternalError"),
    ] {
        server.running.s3_fault(Fault::new(kind).on("prefix=develop/build_systems/").times(1));
        client.list_objects_v2().bucket(BUCKET).prefix("index").send().await.unwrap();
        assert_eq!(refusal(list().await), (status, code.to_owned()));
        list().await.unwrap();
    }
    // The SDK does not mind that the document has no end; only the count tells.
    server.running.s3_fault(Fault::new(FaultKind::Truncated).times(1));
    let cut = list().await.unwrap();
    assert!(cut.contents().len() < cut.key_count().unwrap() as usize);
    server.running.s3_fault(Fault::new(FaultKind::Drop).times(1));
    list().await.expect_err("the connection should have been cut");
    server.running.s3_fault(Fault::new(FaultKind::Hang(std::time::Duration::from_mins(1))));
    assert!(tokio::time::timeout(std::time::Duration::from_millis(100), list()).await.is_err());
    server.running.heal();
    list().await.unwrap();
    let url = format!("{}/{BUCKET}?list-type=2&max-keys=1", server.running.s3.url);
    let answer = reqwest::get(url).await.unwrap();
    let date = answer.headers()["date"].to_str().unwrap().to_owned();
    assert_eq!(date, server.running.world(|world| world.now().http_date()));
}
