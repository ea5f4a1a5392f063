# SPDX-License-Identifier: Apache-2.0
# Where the agent comes from: pypi, source (git) or package (the distribution's). A named git place or ref means git.
if [ -n "${DIB_REPOREF_amphora_agent:-}${DIB_REPOLOCATION_amphora_agent:-}" ]; then
    DIB_INSTALLTYPE_amphora_agent=${DIB_INSTALLTYPE_amphora_agent:-source}
fi
export DIB_INSTALLTYPE_amphora_agent=${DIB_INSTALLTYPE_amphora_agent:-pypi}
export DIB_AMPHORA_AGENT_VERSION=${DIB_AMPHORA_AGENT_VERSION:-19.0.0}
export DIB_OCTAVIA_AMP_USE_SSH=${DIB_OCTAVIA_AMP_USE_SSH:-True}
export DIB_OCTAVIA_AMP_USE_NFTABLES=${DIB_OCTAVIA_AMP_USE_NFTABLES:-True}
