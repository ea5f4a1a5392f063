# SPDX-License-Identifier: Apache-2.0
import hashlib
import io
import traceback
from dataclasses import replace

import pytest
from fakes.glance_import import FakeImports
from support import disks

from amphora_image.clients.glance_import import ImportTask
from amphora_image.errors import (
    AccessDeniedError,
    ConfigurationError,
    DigestMismatchError,
    HashMismatchError,
    ImportFailedError,
    ImportStuckError,
    NoMethodError,
    RequestRefusedError,
    ServerConversionError,
    ServiceUnavailableError,
    SourceChangedError,
)
from amphora_image.publish.bar import Bars
from amphora_image.publish.leftovers import PUBLISHER, mark
from amphora_image.publish.order import Order
from amphora_image.publish.publish import Publisher
from amphora_image.publish.source import FileSource, Load
from amphora_image.publish.verify import BY_BOTH, BY_NOBODY, BY_PLUGIN, SHA512, VERIFIED
from amphora_image.publish.wait import Limits, Waiter

BYTES = disks.qcow2(size=3 * 1024 * 1024 + 5)
HASH = hashlib.sha512(BYTES).hexdigest()


@pytest.fixture
def imports():
    return FakeImports()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "image.qcow2"
    path.write_bytes(BYTES)
    return path


@pytest.fixture
def promoted():
    return []


@pytest.fixture
def publish(imports, file, promoted):
    """Publish the file as ``Order`` says."""

    def call(*, load=None, promote=None, limits=None, **order):
        waiter = Waiter(imports, limits=limits or Limits(), sleep=lambda _: None)
        publisher = Publisher(
            imports, waiter, owner=lambda: "ours", promote=promote or (lambda *values: promoted.append(values))
        )
        load = load or Load(disk_format="qcow2", source=FileSource(file))
        return publisher.publish(load, Order(**{"name": "v1", **order}))

    return call


def only(imports):
    (record,) = imports.images.values()
    return record


def test_an_image_is_private_untagged_and_marked_until_its_bytes_are_verified(publish, imports, promoted):
    done = publish(tag="amphora", reason="release", properties={"a": "b", "min_disk": "2"}, visibility="public")

    (made,) = imports.made_with
    assert made["visibility"] == "private"
    assert made[PUBLISHER] == mark()
    assert "tags" not in made
    assert "a" not in made
    record = only(imports)
    assert (record.visibility, record.min_disk) == ("public", 2)
    assert record.properties == {"a": "b", SHA512: HASH}
    assert promoted == [(done.id, "amphora", "release")]
    assert imports.asked == ["methods", "stores", "named", "create", "upload default", "record", "tasks", "patch"]
    assert (done.sha512, done.method, done.reused) == (HASH, "upload", False)


def test_an_expected_hash_and_a_signature_are_there_from_the_first_request_on(publish, imports):
    publish(sha512=HASH, properties={"img_signature": "x", "img_signature_key_type": "RSA-PSS"})
    (made,) = imports.made_with
    assert made[SHA512] == HASH
    assert (made["img_signature"], made["img_signature_key_type"]) == ("x", "RSA-PSS")


def test_a_hash_that_nobody_said_is_there_before_the_import_that_is_checked_by_it(publish, imports):
    publish(method="glance-direct")
    assert imports.asked.index("stage") < imports.asked.index("patch") < imports.asked.index("begin glance-direct")


def test_bytes_that_changed_on_the_way_are_deleted(publish, imports):
    """The issue: "Bytes changed on the way"."""
    imports.change = lambda sent: sent[:-1] + b"x"
    with pytest.raises(HashMismatchError):
        publish(tag="amphora")
    assert not imports.images


def test_a_file_that_is_not_the_expected_one_is_deleted(publish, imports):
    with pytest.raises(DigestMismatchError, match=f"should have sha512={'0' * 128}"):
        publish(sha512="0" * 128)
    assert not imports.images


@pytest.mark.parametrize("fault", [ServiceUnavailableError("Glance", "down"), KeyboardInterrupt()])
@pytest.mark.parametrize("request_", ["upload", "record", "patch"])
def test_whatever_ends_it_early_deletes_what_was_begun(publish, imports, request_, fault):
    """The issue: "Ctrl-C removes what was begun"."""
    imports.faults[request_] = fault
    with pytest.raises(type(fault)):
        publish()
    assert not imports.images


def test_what_fails_ends_the_progress_too_so_that_the_error_has_a_line_of_its_own(imports, file):
    imports.faults["upload"] = ServiceUnavailableError("Glance", "down")
    out = io.StringIO()
    publisher = Publisher(imports, Waiter(imports, limits=Limits()), owner=str, promote=print, progress=Bars(out))
    with pytest.raises(ServiceUnavailableError):
        publisher.publish(Load(disk_format="qcow2", source=FileSource(file)), Order(name="v1"))
    assert out.getvalue().endswith("\n")


def test_a_deletion_that_fails_hides_no_error_and_names_the_image(publish, imports, caplog):
    imports.faults.update(
        upload=ServiceUnavailableError("Glance", "down"), delete=ServiceUnavailableError("Glance", "x")
    )
    with pytest.raises(ServiceUnavailableError, match="down"):
        publish()
    assert only(imports).id in caplog.text


def test_a_promotion_that_fails_leaves_the_image_which_the_next_run_promotes(publish, imports, promoted):
    def fail(*_):
        raise ServiceUnavailableError("Glance", "down")

    with pytest.raises(ServiceUnavailableError):
        publish(tag="amphora", promote=fail)
    done = publish(tag="amphora")
    assert (done.reused, done.id) == (True, only(imports).id)
    assert promoted == [(done.id, "amphora", "")]


def test_an_image_that_is_whole_already_is_not_sent_anew(publish, imports):
    first = publish()
    imports.asked.clear()
    again = publish(properties={"a": "b"})
    assert (again.id, again.reused) == (first.id, True)
    assert not [each for each in imports.asked if each.startswith(("create", "upload"))]
    assert only(imports).properties["a"] == "b"


def test_an_image_that_not_all_stores_asked_for_have_is_copied_to_the_others(publish, imports):
    """As a kill between the upload and the copy leaves it."""
    first = publish(stores=("s1",))
    imports.asked.clear()
    again = publish(all_stores=True)
    assert (again.id, again.method, again.failed_stores) == (first.id, "copy-image", ())
    assert only(imports).stores == ("s1", "s2")
    assert not [each for each in imports.asked if each.startswith(("create", "upload"))]


def test_without_copy_image_an_image_that_is_not_in_all_stores_is_told_and_left(publish, imports):
    publish(stores=("s1",))
    imports.methods = lambda: ("glance-direct",)
    with pytest.raises(NoMethodError, match="has these bytes, but not in s2"):
        publish(stores=("s2",), tag="amphora")
    assert only(imports).stores == ("s1",)


def test_an_image_that_glance_still_copies_is_waited_for(publish, imports):
    first = publish(stores=("s1",))
    copied = replace(only(imports), stores=("s1", "s2"))
    imports.images[first.id] = replace(only(imports), properties={SHA512: HASH, "os_glance_import_task": "t1"})
    imports.record = lambda image_id: imports.images.update({image_id: copied}) or copied
    again = publish(all_stores=True)
    assert (again.method, again.stores) == ("none", ("s1", "s2"))


def converted(record):
    return replace(record, disk_format="raw", size=7, hash_value="f" * 128)


@pytest.mark.parametrize(("left", "by"), [({}, BY_NOBODY), ({VERIFIED: HASH}, BY_PLUGIN)])
def test_an_image_that_glance_converted_is_found_again_where_that_is_accepted(publish, imports, left, by):
    imports.import_answer = lambda record: replace(converted(record), properties={**record.properties, **left})
    first = publish(method="glance-direct", accept_conversion=True)
    again = publish(method="glance-direct", accept_conversion=True)
    assert (again.id, again.reused, again.verified_by, again.sha512) == (first.id, True, by, HASH)
    assert imports.asked.count("stage") == 1


@pytest.mark.parametrize(
    "properties", [{SHA512: "0" * 128}, {SHA512: HASH, PUBLISHER: "another-boot pid:[1] 77 1"}, {VERIFIED: "0" * 128}]
)
def test_one_that_was_made_of_other_bytes_or_never_completed_is_not(publish, imports, properties):
    first = publish(method="glance-direct")
    imports.images[first.id] = replace(converted(only(imports)), properties=properties)
    assert not publish(method="glance-direct", accept_conversion=True).reused


def test_nor_is_one_of_the_same_format_and_size_whose_hash_is_another(publish, imports):
    first = publish()
    imports.images[first.id] = replace(only(imports), hash_value="f" * 128)
    assert not publish(accept_conversion=True).reused


def test_an_image_of_another_hash_or_maker_is_not_taken_for_it(publish, imports):
    first = publish()
    imports.images[first.id] = replace(imports.images[first.id], properties={})
    assert not publish().reused
    assert len(imports.images) == 2


def test_a_whole_image_that_a_running_publisher_has_not_verified_yet_is_not_taken_over(publish, imports):
    first = publish()
    imports.images[first.id] = replace(only(imports), properties={SHA512: HASH, PUBLISHER: mark()})
    again = publish()
    assert (again.reused, again.found, again.removed) == (False, (first.id,), ())


@pytest.mark.parametrize("status", ["queued", "saving", "uploading", "importing", "active"])
def test_what_a_crashed_run_left_is_removed(publish, imports, status):
    left = imports.create({"name": "v1", "disk_format": "qcow2", "container_format": "bare", "visibility": "private"})
    ended = mark().rpartition(" ")[0] + " 1"
    imports.images[left.id] = replace(left, status=status, properties={PUBLISHER: ended})
    done = publish()
    assert done.removed == (left.id,)
    assert only(imports).id == done.id


@pytest.mark.parametrize(
    "marked", [mark(), "another-boot pid:[1] 77 1", "nonsense"], ids=["this process", "another boot", "nonsense"]
)
def test_what_a_running_or_a_distant_publisher_makes_is_told_and_left_alone(publish, imports, marked):
    left = imports.create({"name": "v1", "disk_format": "qcow2", "container_format": "bare", "visibility": "private"})
    imports.images[left.id] = replace(left, properties={PUBLISHER: marked})
    done = publish()
    assert done.found == (left.id,)
    assert set(imports.images) == {left.id, done.id}


@pytest.mark.parametrize("spare", [{"name": "v2"}, {"owner": "theirs"}, {"tags": ("amphora",)}])
def test_what_is_not_surely_ours_is_never_removed(publish, imports, spare):
    left = imports.create({"name": "v1", "disk_format": "qcow2", "container_format": "bare", "visibility": "private"})
    ended = mark().rpartition(" ")[0] + " 1"
    imports.images[left.id] = replace(left, properties={PUBLISHER: ended}, **spare)
    publish()
    assert left.id in imports.images


def test_a_whole_image_that_a_crash_left_marked_is_gone_on_with(publish, imports):
    done = publish()
    ended = mark().rpartition(" ")[0] + " 1"
    record = imports.images[done.id]
    imports.images[done.id] = replace(record, visibility="private", properties={PUBLISHER: ended})
    again = publish(visibility="shared")
    assert (again.id, again.reused, again.removed) == (done.id, True, ())
    assert only(imports).visibility == "shared"
    assert PUBLISHER not in only(imports).properties


def test_a_conversion_by_the_cloud_is_refused_and_deleted(publish, imports):
    """The issue: "Where the cloud converts on import it says so and refuses unless --accept-server-conversion"."""
    imports.import_answer = converted
    with pytest.raises(ServerConversionError, match="it was qcow2 and is raw"):
        publish(method="glance-direct")
    assert not imports.images


@pytest.mark.parametrize(("seen", "by"), [({}, BY_NOBODY), ({VERIFIED: HASH}, BY_PLUGIN), ({VERIFIED: "x"}, BY_NOBODY)])
def test_an_accepted_conversion_says_who_has_seen_the_bytes_before(publish, imports, seen, by):
    imports.import_answer = lambda record: converted(replace(record, properties={**record.properties, **seen}))
    assert publish(method="glance-direct", accept_conversion=True).verified_by == by


def test_a_plain_upload_cannot_have_been_converted(publish, imports):
    imports.change = lambda sent: sent[:-1]
    with pytest.raises(HashMismatchError):
        publish(accept_conversion=True)


def test_the_plug_in_s_word_is_told_beside_glance_s_own(publish, imports):
    imports.import_answer = lambda record: replace(record, properties={**record.properties, VERIFIED: HASH})
    assert publish(method="glance-direct").verified_by == BY_BOTH


def test_an_algorithm_that_glance_was_set_to_is_computed_from_the_file(publish, imports):
    good = hashlib.sha256(BYTES).hexdigest()
    imports.import_answer = lambda record: replace(record, hash_algo="sha256", hash_value=good)
    publish(method="glance-direct")
    imports.import_answer = lambda record: replace(record, hash_algo="sha256", hash_value="0" * 64)
    with pytest.raises(HashMismatchError):
        publish(method="glance-direct", name="v2")


def test_a_failed_import_is_told_with_glance_s_own_reason_and_deleted(publish, imports):
    """The issue: "a failed import is told with Glance's own reason from the tasks API, not as 'queued'"."""
    imports.import_answer = lambda record: replace(record, status="queued")
    imports.task = ImportTask(id="t1", status="failure", message="the store is full")
    with pytest.raises(ImportFailedError, match="the store is full"):
        publish(method="glance-direct")
    assert not imports.images


def test_a_url_is_fetched_by_glance_and_needs_a_hash(publish, imports):
    imports.url_bytes = BYTES
    load = Load(disk_format="qcow2", url="https://images.example.org/a")
    with pytest.raises(NoMethodError, match="cannot be verified"):
        publish(load=load)
    done = publish(load=load, sha512=HASH)
    assert (done.method, done.sha512) == ("web-download", HASH)
    with pytest.raises(HashMismatchError):
        publish(load=load, sha512="0" * 128, name="v2")


def test_more_stores_are_copied_to_after_the_upload(publish, imports):
    done = publish(method="copy-image", stores=("s2", "s1"))
    assert set(done.stores) == {"s1", "s2"}
    assert [each for each in imports.asked if each.startswith(("upload", "begin"))] == ["upload s2", "begin copy-image"]


def test_where_the_cloud_forbids_a_plain_upload_auto_imports(publish, imports):
    """The issue: "`auto` picks the cheapest that is safe by … the cloud offers or requires"."""
    imports.faults["upload"] = AccessDeniedError("Glance", "take the bytes", "HTTP 403")
    done = publish()
    assert (done.method, done.why) == ("glance-direct", "the cloud allows this user no plain upload")
    with pytest.raises(AccessDeniedError):
        publish(method="upload", name="v2")
    assert len(imports.images) == 1


def test_a_file_that_grows_while_it_is_sent_is_told_and_what_was_begun_deleted(publish, imports, file):
    """The issue: "a file that is … growing"."""

    def grow(_, body, **__):
        for _ in body:
            with file.open("ab") as more:
                more.write(b"x")

    imports.upload = grow
    with pytest.raises(SourceChangedError, match="had"):
        publish()
    assert not imports.images


@pytest.mark.parametrize(
    ("order", "part"),
    [
        ({"properties": {"os_hidden": "true"}}, "os_hidden is no property"),
        ({"properties": {VERIFIED: HASH}}, "is no property"),
        ({"properties": {SHA512: HASH}}, "is no property"),
        ({"properties": {"min_disk": "two"}}, "no whole number"),
        ({"properties": {"min_ram": "2147483648"}}, "'2147483648', no whole number up to 2147483647"),
        ({"properties": {"min_ram": "9" * 5000}}, "no whole number up to 2147483647"),
        ({"properties": {"k" * 256: "v"}}, "has 256 characters, and Glance takes 255"),
        ({"properties": {"image_id": "x"}}, "image_id is no property"),
        ({"properties": {"a": "\U0001f600"}}, r"does not take '\\U0001f600' in property 'a'"),
        ({"properties": {"a\0": "b"}}, r"does not take '\\x00' in property"),
        ({"properties": {"a": "\udcff"}}, r"does not take '\\udcff' in property 'a'"),
        ({"name": ""}, "the name is empty"),
        ({"name": "n" * 256}, "has 256 characters, and Glance takes 255"),
        ({"name": "\udcff"}, r"does not take '\\udcff' in the name"),
        ({"tag": "a", "reason": "\udcff"}, "the reason is no text"),
        ({"tag": "a/b"}, "cannot be moved"),
        ({"tag": "a", "reason": "x" * 300}, "the reason has"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_before_any_request(publish, imports, order, part):
    with pytest.raises(ConfigurationError, match=part):
        publish(**order)
    assert not imports.asked


def test_what_glance_repeats_of_a_url_is_told_without_its_query(publish, imports):
    url = "https://images.example.org/a?signature=canary"
    imports.faults["begin"] = RequestRefusedError("Glance", "import", f"the URI does not pass: {url}")
    with pytest.raises(RequestRefusedError, match="does not pass") as caught:
        publish(load=Load(disk_format="qcow2", url=url), sha512=HASH)
    told = "".join(traceback.format_exception(caught.value))
    assert "canary" not in told


def test_bytes_that_take_too_long_to_send_are_given_up(publish, imports):
    """The issue: "a deadline for each phase"."""
    with pytest.raises(ImportStuckError, match="while uploading"):
        publish(limits=Limits(phase_seconds=0))
    assert not imports.images
