# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import configparser
import pathlib

from oslo_config import cfg

from amphora_image.sandbox import catalogue, configs
from amphora_image.sandbox.layout import Layout
from amphora_image.sandbox.state import State

ETC = pathlib.Path(__file__).parents[3] / "etc"
NAME = "filter:amphora_image_relations"
NASTY = "c$d ${host} a#b;c"


def test_oslo_gives_back_any_path_and_password(tmp_path, monkeypatch):
    """Finding: "`--dir '/tmp/c$d'` fails with oslo tracebacks (oslo.config interpolates `$`)"."""
    layout, state = Layout(tmp_path / NASTY), State.new()
    for extra in catalogue.EXTRAS:
        state.add(extra)
    state.passwords = dict.fromkeys(state.passwords, NASTY)
    state.ports = dict.fromkeys(catalogue.names(state.extras), 20000)
    configs.write(layout, state)
    monkeypatch.chdir(layout.root)
    for service in catalogue.services(state.extras):
        conf = cfg.ConfigOpts()
        conf.register_opts([cfg.StrOpt("connection")], group=f"{'placement_' * (service.name == 'placement')}database")
        conf.register_opts([cfg.StrOpt("password")], group="keystone_authtoken")
        conf.register_opts([cfg.StrOpt("lock_path")], group="oslo_concurrency")
        conf(["--config-file", configs.told(layout, configs.config_file(layout, service.name))])
        group = conf.placement_database if service.name == "placement" else conf.database
        assert f":{NASTY}@" in group.connection
        if service.name != "keystone":
            assert conf.keystone_authtoken.password == NASTY
            assert conf.oslo_concurrency.lock_path == f"{tmp_path}/{NASTY}/{service.name}/lock"


def test_the_filter_for_relations_stands_in_glances_pipelines_where_our_snippets_put_it(tmp_path):
    layout, state = Layout(tmp_path), State.new()
    state.add("relations")
    state.ports = dict.fromkeys(catalogue.names(state.extras), 20000)
    configs.write(layout, state)
    paste, snippet, older = (configparser.RawConfigParser() for _ in range(3))
    paste.read(layout.config / "glance" / "paste-with-relations.ini")
    snippet.read(ETC / "glance-api-paste-relations.ini")
    older.read(ETC / "glance-api-paste-relations-older.ini")
    assert dict(snippet["composite:api"]).items() <= dict(paste["composite:api"]).items()
    for each in (paste, older):
        assert each[NAME]["paste.filter_factory"] == snippet[NAME]["paste.filter_factory"]
    lines = [*snippet["composite:api"].values(), *(older[each]["pipeline"] for each in older if "pipeline:" in each)]
    assert [line for line in lines if "authtoken" in line] == [
        line for line in lines if "context amphora_image_relations" in line
    ]
    assert len(lines) == 7
