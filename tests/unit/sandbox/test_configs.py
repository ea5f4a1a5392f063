# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from oslo_config import cfg

from amphora_image.sandbox import catalogue, configs
from amphora_image.sandbox.layout import Layout
from amphora_image.sandbox.state import State

NASTY = "c$d ${host} a#b;c"


def test_oslo_gives_back_any_path_and_password(tmp_path, monkeypatch):
    """Finding: "`--dir '/tmp/c$d'` fails with oslo tracebacks (oslo.config interpolates `$`)"."""
    layout, state = Layout(tmp_path / NASTY), State.new()
    state.add("octavia")
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
