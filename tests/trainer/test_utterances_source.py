"""Finding the files of a location."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from trainer.config import DataSettings
from trainer.errors import SourceFormatError, SourceNotFoundError
from trainer.utterances import open_source, read_utterances

CSV = "text,intent\nhello,greet\n"
JSONL = '{"text": "hello", "intent": "greet"}\n'
CLINC = '{"train": [["hello", "greet"]]}'
TEMPLATES = "intents: {greet: {data: [{sentences: [hello]}]}}"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
}


def put(folder: Path, **files: str) -> Path:
    """Write files; ``__`` stands for a dot and ``___`` for a slash in their names."""
    for name, content in files.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.tsv", CSV.replace(",", "\t")),
        ("a.jsonl", JSONL),
        ("a.JSON", CLINC),
        ("a.json", JSONL),
        ("a.json", '{"text": "hello", "intent": "greet", "entities": []}\n'),
        ("a.json", '{\n  "train": [["hello", "greet"]]\n}'),
        ("a.yaml", TEMPLATES),
        ("a.yml", TEMPLATES),
        ("a.txt", CSV),
        ("noname", JSONL),
        ("noname", CLINC),
    ],
)
def test_the_suffix_or_the_content_tells_the_format(
    data_settings: DataSettings, tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    utterances = read_utterances(str(tmp_path / name), settings=data_settings)
    assert [(utterance.text, utterance.intent) for utterance in utterances] == [("hello", "greet")]
    assert utterances[0].source.startswith(name)


def test_a_folder_gives_the_splits_of_its_file_names(
    data_settings: DataSettings, tmp_path: Path
) -> None:
    put(tmp_path, train__csv=CSV, val__jsonl=JSONL, test__csv=CSV, README__md="#", other__csv=CSV)
    utterances = read_utterances(str(tmp_path), settings=data_settings)
    assert [(u.split, u.source) for u in utterances] == [
        ("test", "test.csv"),
        ("train", "train.csv"),
        ("validation", "val.jsonl"),
    ]


@pytest.mark.parametrize("name", ["sentences__yaml", "sentences___a__yaml"])
def test_a_folder_may_hold_templates_and_a_test(
    data_settings: DataSettings, tmp_path: Path, name: str
) -> None:
    put(tmp_path, test__csv=CSV, README__md="# nothing to read", **{name: TEMPLATES})
    utterances = read_utterances(str(tmp_path), settings=data_settings)
    assert [u.split for u in utterances] == [None, "test"]


def test_the_digest_changes_with_every_file_that_counts_and_no_other(tmp_path: Path) -> None:
    digest = open_source(str(put(tmp_path, train__csv=CSV, test__csv=CSV))).digest
    put(tmp_path, README__md="# new")
    assert open_source(str(tmp_path)).digest == digest
    put(tmp_path, test__csv=CSV + "bye,leave\n")
    assert open_source(str(tmp_path)).digest != digest


def test_the_digest_is_the_same_in_another_place(tmp_path: Path) -> None:
    first = put(tmp_path / "a", train__csv=CSV, test__csv=CSV)
    second = put(tmp_path / "b", test__csv=CSV, train__csv=CSV)
    assert open_source(str(first)).digest == open_source(str(second)).digest


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.csv"
    with pytest.raises(SourceNotFoundError) as caught:
        open_source(str(path))
    assert caught.value.message == (
        f"no utterances at {path}: there is no such file or folder; check the path"
    )


def test_an_unknown_scheme_is_reported() -> None:
    with pytest.raises(SourceNotFoundError, match="unknown scheme 'ftp'; give a path or an s3://"):
        open_source("ftp://example.org/a.csv")


def test_a_name_that_the_system_refuses_is_reported() -> None:
    with pytest.raises(SourceNotFoundError, match="File name too long"):
        open_source("a" * 5000)


@pytest.mark.parametrize("files", [{}, {"test__csv": CSV}, {"README__md": "#", "b__json": CLINC}])
def test_a_folder_with_nothing_to_train_on_is_refused(
    tmp_path: Path, files: dict[str, str]
) -> None:
    with pytest.raises(SourceFormatError, match="holds nothing to train on; expected train"):
        open_source(str(put(tmp_path, **files)))


def test_two_files_for_one_split_are_refused(tmp_path: Path) -> None:
    put(tmp_path, train__csv=CSV, val__csv=CSV, dev__jsonl=JSONL)
    with pytest.raises(
        SourceFormatError, match=r"two validation files, dev\.jsonl and val\.csv; keep one"
    ):
        open_source(str(tmp_path))


def test_the_public_banking_data_give_their_published_counts(
    data_settings: DataSettings, public_data: Path
) -> None:
    utterances = read_utterances(str(public_data / "banking77"), settings=data_settings)
    assert Counter(u.split for u in utterances) == {"train": 10_003, "test": 3_080}
    assert len({u.intent for u in utterances}) == 77


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    """An S3 with the bucket ``talk``: ``one.csv`` and the folder ``set``."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    try:
        client.create_bucket(
            Bucket="talk", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        client.put_object(Bucket="talk", Key="one.csv", Body=CSV.encode())
        client.put_object(Bucket="talk", Key="set/sentences/a.yaml", Body=TEMPLATES.encode())
        client.put_object(Bucket="talk", Key="set/test.csv", Body=CSV.encode())
        yield endpoint
    finally:
        client.close()
        server.stop()


def read_in_new_process(location: str, endpoint: str, home: Path) -> tuple[str, list[list[str]]]:
    """Read with nothing but the environment a user would set; give the digest or the error."""
    program = (
        "import json, sys\n"
        "from edge_runtime.errors import EdgeError\n"
        "from edge_runtime.settings import load_settings\n"
        "from trainer.config import DEFAULTS, DataSettings\n"
        "from trainer.utterances import open_source, parse_source\n"
        "settings = load_settings(DataSettings, 'data', defaults=DEFAULTS, environment={})\n"
        "try:\n"
        "    source = open_source(sys.argv[1])\n"
        "    found = parse_source(source, settings=settings)\n"
        "    rows = [[u.text, u.intent, u.split] for u in found]\n"
        "    print(json.dumps([source.digest, rows]))\n"
        "except EdgeError as error:\n"
        "    print(json.dumps([f'{type(error).__name__}: {error}', []]))\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program, location],
        env={
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_MAX_ATTEMPTS": "1",
            "HOME": str(home),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        check=True,
    )
    digest, rows = json.loads(finished.stdout)
    return digest, rows


def test_a_file_in_a_bucket_is_read_like_one_on_disk(s3_endpoint: str, tmp_path: Path) -> None:
    digest, rows = read_in_new_process("s3://talk/one.csv", s3_endpoint, tmp_path)
    assert rows == [["hello", "greet", None]]
    assert digest == open_source(str(put(tmp_path, one__csv=CSV) / "one.csv")).digest


def test_a_folder_in_a_bucket_is_read_like_one_on_disk(s3_endpoint: str, tmp_path: Path) -> None:
    digest, rows = read_in_new_process("s3://talk/set", s3_endpoint, tmp_path)
    assert rows == [["hello", "greet", None], ["hello", "greet", "test"]]
    put(tmp_path, test__csv=CSV, sentences___a__yaml=TEMPLATES)
    assert digest == open_source(str(tmp_path)).digest


def test_a_missing_object_is_reported(s3_endpoint: str, tmp_path: Path) -> None:
    message, _ = read_in_new_process("s3://talk/two.csv", s3_endpoint, tmp_path)
    assert message == (
        "SourceNotFoundError: no utterances at s3://talk/two.csv: there is no such file or "
        "folder; check the path"
    )


def test_a_bucket_out_of_reach_is_reported(tmp_path: Path) -> None:
    message, _ = read_in_new_process("s3://talk/one.csv", "http://127.0.0.1:9", tmp_path)
    assert message.startswith("SourceNotFoundError: cannot open s3://talk/one.csv: Could not ")
    assert message.endswith("; check the address and your credentials")
    assert "\n" not in message
