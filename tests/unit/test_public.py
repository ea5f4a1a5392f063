# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import pytest

import amphora_image


def loaded_after(statements):
    program = f"{statements}\nimport sys\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split()) | {name.partition(".")[0] for name in done.stdout.split()}


def test_every_public_name_can_be_loaded():
    for name in amphora_image.__all__:
        assert getattr(amphora_image, name).__name__ == name
    assert sorted(amphora_image.__all__) == sorted(amphora_image._HOMES)


def test_another_name_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'frob'"):
        _ = amphora_image.frob


def test_importing_the_package_loads_nothing_else_of_it():
    assert not {name for name in loaded_after("import amphora_image") if name.startswith("amphora_image.")}


def test_a_worker_loads_nothing_that_only_commands_need():
    loaded = loaded_after("import amphora_image.drivers.nova, amphora_image.drivers.noop")
    assert not loaded & {"cliff", "openstack", "tqdm", "yaml", "tooz", "sqlalchemy", "octavia", "glanceclient"}


def test_help_loads_no_client_library():
    program = "from amphora_image.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    loaded = loaded_after(program)
    assert "amphora_image.cli.boot" in loaded
    assert not loaded & {"glanceclient", "novaclient", "keystoneauth1", "sqlalchemy", "openstack", "oslo_config"}


def test_the_program_loads_nothing_that_takes_long_before_it_can_be_interrupted():
    loaded = loaded_after("import amphora_image.cli.program")
    assert not loaded & {"cliff", "stevedore", "dataclasses", "amphora_image.errors"}


def test_publishing_a_file_loads_neither_the_other_clients_nor_what_reads_references():
    heavy = "amphora_image.cli.publish, amphora_image.cli.publishing, amphora_image.clients.plain_cloud"
    loaded = loaded_after(f"import {heavy}, amphora_image.config")
    assert "keystoneauth1" in loaded
    assert not loaded & {"novaclient", "openstack", "tooz", "tqdm"}
    assert not loaded & {f"amphora_image.{name}" for name in ("boot", "drivers", "relation", "services.web")}


def test_resolving_loads_no_other_client_than_glances():
    loaded = loaded_after("import amphora_image.cli.resolve, amphora_image.resolve, amphora_image.clients.plain_cloud")
    assert "keystoneauth1" in loaded
    assert not loaded & {"novaclient", "openstack", "amphora_image.contents", "amphora_image.drivers"}
