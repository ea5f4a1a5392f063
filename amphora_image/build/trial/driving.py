# SPDX-License-Identifier: Apache-2.0
"""What Octavia does with an amphora, step by step, and what must come of it."""

from __future__ import annotations

import contextlib
import http.client
import socket
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amphora_image.build.trial.agent import Agent
from amphora_image.build.trial.balancing import Balancer, vip_request
from amphora_image.build.trial.deadline import Deadline
from amphora_image.errors import TrialFailedError

if TYPE_CHECKING:
    from pathlib import Path

    from amphora_image.build.trial.agent import Heartbeats
    from amphora_image.build.trial.machine import Machine, Network
    from amphora_image.build.trial.members import Members

_PAUSE_SECONDS = 0.5
_KNOCK_SECONDS = 10.0
_REQUESTS = 10
_BROKEN = b"frontend broken\n    bind nowhere\n    no_such_keyword\n"


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports of loopback that lead to the agent, to port 80 of the management interface, and to the VIP."""

    agent: int
    direct: int
    vip: int

    @classmethod
    def free(cls) -> Ports:
        """Choose ports that nobody listens on now."""
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            return cls(*(each.getsockname()[1] for each in sockets))


class Driver:
    """Drives the amphora in a machine; each step gives what was seen."""

    def __init__(self, machine: Machine, ports: Ports, folder: Path, amphora: str) -> None:
        self._machine, self._ports = machine, ports
        self._authority = folder / "authority.pem"
        self._agent = Agent(ports.agent, self._authority, folder / "client.pem")
        self._amphora = amphora
        self._balancer: Balancer | None = None
        self.has_agent = False

    def wait(self, seconds: float) -> str:
        """Wait until the agent answers over mutual TLS, or something else on port 80.

        :raises TrialFailedError: neither does in time, or the machine ends.
        """
        said = ""
        for _ in Deadline(seconds).attempts(_PAUSE_SECONDS):
            self._machine.check("boots and answers")
            try:
                status, answer = self._agent.ask("GET", "/", seconds=_KNOCK_SECONDS)
            except (OSError, http.client.HTTPException) as error:
                said = str(error) or type(error).__name__
            else:
                self.has_agent = True
                return self._expect(status, 200, answer, f"the agent answers: {answer}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                return f"no agent; port 80 answers: {self._get(self._ports.direct)}"
        raise self._failed(f"neither the agent nor port 80 answered within {seconds:.0f} s, the last error was: {said}")

    def refuses_strangers(self) -> str:
        """Ask without a certificate, and expect no answer.

        :raises TrialFailedError: there is one.
        """
        try:
            status, _ = Agent(self._ports.agent, self._authority, None).ask("GET", "/1.0/info")
        except (OSError, http.client.HTTPException):
            return "no answer without a certificate"
        raise self._failed(f"the agent answers {status} to a client that has no certificate")

    def tells_of_itself(self) -> str:
        """Ask for the versions.

        :raises TrialFailedError: the agent does not tell them.
        """
        status, answer = self._ask("GET", "/1.0/info")
        self._expect(status, 200, answer)
        if (
            not isinstance(answer, dict)
            or not answer.get("haproxy_version")
            or answer.get("amphora_id") not in {None, self._amphora}
        ):
            raise self._failed(f"the agent tells of no HAProxy, or is another one: {answer}")
        return f"HAProxy {answer['haproxy_version']}, API {answer.get('api_version')}"

    def plug(self, network: Network, seconds: float) -> str:
        """Plug in the VIP's interface, and have the agent take it.

        :raises TrialFailedError: it does not.
        """
        self._machine.plug(network)
        status, answer = 0, ""
        for _ in Deadline(seconds).attempts(_PAUSE_SECONDS):
            path = f"/1.0/plug/vip/{network.prefix}.20"
            status, answer = self._ask("POST", path, vip_request(network.prefix, network.mac))
            if status != 404:  # the system has not found the interface yet
                break
        return self._expect(status, 202, answer, f"{network.prefix}.20")

    def refuses_nonsense(self) -> str:
        """Upload what is no configuration.

        :raises TrialFailedError: it is taken.
        """
        status, answer = self._ask("PUT", f"/1.0/loadbalancer/{self._amphora}/{uuid.uuid4()}/haproxy", _BROKEN)
        return self._expect(status, 400, answer, "HAProxy's check fails, and the agent says so")

    def configure(self, network: Network, members: Members) -> str:
        """Upload a configuration as Octavia does, and start HAProxy with it.

        :raises TrialFailedError: the agent refuses.
        """
        self._balancer = balancer = Balancer(
            amphora=self._amphora,
            balancer=str(uuid.uuid4()),
            listener=str(uuid.uuid4()),
            pool=str(uuid.uuid4()),
            vip=f"{network.prefix}.20",
            members=tuple(f"{network.host}:{port}" for port in members.ports),
        )
        config = balancer.haproxy_config().encode()
        path = f"/1.0/loadbalancer/{self._amphora}/{balancer.balancer}/haproxy"
        status, answer = self._ask("PUT", path, config)
        self._expect(status, 202, answer)
        status, answer = self._ask("PUT", f"/1.0/loadbalancer/{balancer.balancer}/start")
        return self._expect(status, 202, answer, "HAProxy runs")

    def balances(self, members: Members, seconds: float) -> str:
        """Send requests to the VIP until each member has answered and so many were answered in a row.

        :raises TrialFailedError: that does not come about in time.
        """
        found, said = Counter[str](), ""
        for _ in Deadline(seconds).attempts(_PAUSE_SECONDS):
            found.clear()
            try:
                found.update(self._get(self._ports.vip) for _ in range(_REQUESTS))
            except (OSError, http.client.HTTPException) as error:
                said = str(error) or type(error).__name__
                continue
            if set(found) == set(members.names):
                return ", ".join(f"{name} {found[name]} times" for name in sorted(found))
        raise self._failed(
            f"within {seconds:.0f} s not every member answered ({dict(found)}), the last error was: {said}"
        )

    def counts(self, heartbeats: Heartbeats, seconds: float) -> str:
        """Add up what the heartbeats tell, until it is what was sent.

        :raises TrialFailedError: it is not in time.
        """
        assert self._balancer is not None  # noqa: S101 - for the type; configure() comes first
        deadline, requests, heard = Deadline(seconds), 0, 0
        while deadline.remaining():
            for message in heartbeats.heard(min(1.0, deadline.remaining())):
                heard += 1
                listener = message.get("listeners", {}).get(self._balancer.listener, {})
                requests += int(listener.get("stats", {}).get("totconns", 0))
                pool = message.get("pools", {}).get(self._balancer.pool_name, {})
                up = list(pool.get("members", {}).values()).count("UP")
                if requests >= _REQUESTS and listener.get("status") == "OPEN" and pool.get("status") == "UP":
                    return f"{requests} connections, the listener is OPEN, the pool UP with {up} members"
                if not deadline.remaining():
                    break
        raise self._failed(
            f"{heard} heartbeats told of {requests} connections, and not of the listener as OPEN, the pool as UP"
        )

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        self._machine.check(path)
        try:
            return self._agent.ask(method, path, body)
        except http.client.HTTPException as error:
            raise self._failed(f"{method} {path}: {error or type(error).__name__}") from error

    def _get(self, port: int) -> str:
        """Get what a port of loopback answers.

        :raises OSError: nothing, or another status than 200.
        """
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_KNOCK_SECONDS)) as connection:
            connection.request("GET", "/")
            response = connection.getresponse()
            if response.status != 200:
                raise ConnectionError(f"HTTP {response.status}")
            return response.read(200).decode(errors="replace").strip()

    def _expect(self, status: int, wanted: int, answer: object, seen: str = "") -> str:
        if status != wanted:
            raise self._failed(f"the agent answered {status}, not {wanted}: {answer}")
        return seen

    def _failed(self, detail: str) -> TrialFailedError:
        return TrialFailedError("its test", detail, str(self._machine.console))
