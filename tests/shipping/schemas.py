"""The parts of the Compose specification and of Kubernetes' API that our files use, strict: whatever else they say is a mistake."""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
WHOLE: dict[str, Any] = {"type": "integer", "minimum": 0}
YES: dict[str, Any] = {"type": "boolean"}
WORDS: dict[str, Any] = {"type": "array", "items": TEXT, "minItems": 1}
PAIRS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}


def strict(required: str, optional: str = "", **properties: Any) -> dict[str, Any]:
    """Return the schema of an object with these properties, those named in `required` among them, and no others."""
    names = [*required.split(), *optional.split()]
    assert sorted(names) == sorted(properties), names
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


def many(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


# Compose. Source: the Compose specification.

SECONDS = {"type": "string", "pattern": r"^\d+(s|m)$"}
SIZE = {"type": "string", "pattern": r"^\d+[mg]$"}
CONDITIONS = {"enum": ["service_started", "service_healthy", "service_completed_successfully"]}
DEPENDS = {"type": "object", "additionalProperties": strict("condition", condition=CONDITIONS)}
HEALTH = strict(
    "test interval timeout", "retries start_period", test=WORDS, interval=SECONDS, timeout=SECONDS, retries=WHOLE, start_period=SECONDS
)
SERVICE = strict(
    "image restart",
    "build command entrypoint environment depends_on ports volumes healthcheck stop_grace_period mem_limit",
    image=TEXT,
    restart={"enum": ["no", "unless-stopped"]},
    build=strict("context dockerfile", context=TEXT, dockerfile=TEXT),
    command=WORDS,
    entrypoint=WORDS,
    environment=PAIRS,
    depends_on=DEPENDS,
    ports=many({"type": "string", "pattern": r"^127\.0\.0\.1:\d+:\d+$"}),
    volumes=many({"type": "string", "pattern": r"^\w+:/"}),
    healthcheck=HEALTH,
    stop_grace_period=SECONDS,
    mem_limit=SIZE,
)
COMPOSE = {
    "type": "object",
    "properties": {"services": {"type": "object", "additionalProperties": SERVICE}, "volumes": {"type": "object"}},
    "patternProperties": {"^x-": {}},
    "required": ["services"],
    "additionalProperties": False,
}

# Kubernetes. Source: its API reference, version 1.32.

CPU = {"type": "string", "pattern": r"^\d+m?$"}
MEMORY = {"type": "string", "pattern": r"^\d+(Mi|Gi)$"}
NAMED = strict("name", name=TEXT)
META = strict("name labels", name={"type": "string", "pattern": "^[a-z][a-z0-9-]*$"}, labels=PAIRS)
SELECTOR = strict("matchLabels", matchLabels=PAIRS)
PROBE = strict(
    "exec periodSeconds timeoutSeconds",
    "initialDelaySeconds failureThreshold",
    exec=strict("command", command=WORDS),
    periodSeconds=WHOLE,
    timeoutSeconds=WHOLE,
    initialDelaySeconds=WHOLE,
    failureThreshold=WHOLE,
)
RESOURCES = strict("requests limits", requests=strict("cpu memory", cpu=CPU, memory=MEMORY), limits=strict("memory", memory=MEMORY))
CONTAINER = strict(
    "name image args envFrom resources securityContext",
    "startupProbe livenessProbe readinessProbe",
    name=TEXT,
    image={"const": "agentool"},
    args=WORDS,
    envFrom={"const": [{"configMapRef": {"name": "agentool"}}, {"secretRef": {"name": "agentool"}}]},
    resources=RESOURCES,
    securityContext={"const": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}},
    startupProbe=PROBE,
    livenessProbe=PROBE,
    readinessProbe=PROBE,
)
USER = strict(
    "runAsNonRoot runAsUser fsGroup seccompProfile",
    runAsNonRoot={"const": True},
    runAsUser=WHOLE,
    fsGroup=WHOLE,
    seccompProfile={"const": {"type": "RuntimeDefault"}},
)
SPREAD = strict(
    "maxSkew topologyKey whenUnsatisfiable labelSelector",
    maxSkew=WHOLE,
    topologyKey=TEXT,
    whenUnsatisfiable={"enum": ["ScheduleAnyway", "DoNotSchedule"]},
    labelSelector=SELECTOR,
)
POD = strict(
    "automountServiceAccountToken securityContext containers",
    "restartPolicy terminationGracePeriodSeconds topologySpreadConstraints",
    automountServiceAccountToken={"const": False},
    securityContext=USER,
    containers=many(CONTAINER),
    restartPolicy={"enum": ["Never", "OnFailure"]},
    terminationGracePeriodSeconds=WHOLE,
    topologySpreadConstraints=many(SPREAD),
)
TEMPLATE = strict("metadata spec", metadata=strict("labels", labels=PAIRS), spec=POD)
ROLLING = strict(
    "type rollingUpdate",
    type={"const": "RollingUpdate"},
    rollingUpdate=strict("maxUnavailable maxSurge", maxUnavailable=WHOLE, maxSurge=WHOLE),
)


def kind(version: str, name: str, **more: Any) -> dict[str, Any]:
    """Return the schema of a whole object."""
    return strict(f"apiVersion kind metadata {' '.join(more)}", apiVersion={"const": version}, kind={"const": name}, metadata=META, **more)


KINDS = {
    "ConfigMap": kind("v1", "ConfigMap", data=PAIRS),
    "Job": kind(
        "batch/v1",
        "Job",
        spec=strict(
            "template backoffLimit activeDeadlineSeconds ttlSecondsAfterFinished",
            template=TEMPLATE,
            backoffLimit=WHOLE,
            activeDeadlineSeconds=WHOLE,
            ttlSecondsAfterFinished=WHOLE,
        ),
    ),
    "Deployment": kind(
        "apps/v1",
        "Deployment",
        spec=strict("replicas selector template", "strategy", replicas=WHOLE, selector=SELECTOR, template=TEMPLATE, strategy=ROLLING),
    ),
    "PodDisruptionBudget": kind(
        "policy/v1",
        "PodDisruptionBudget",
        spec=strict("selector", "minAvailable maxUnavailable", selector=SELECTOR, minAvailable=WHOLE, maxUnavailable=WHOLE),
    ),
    "Kustomization": strict(
        "apiVersion kind resources images",
        apiVersion={"const": "kustomize.config.k8s.io/v1beta1"},
        kind={"const": "Kustomization"},
        resources=WORDS,
        images=many(strict("name newName newTag", name=TEXT, newName=TEXT, newTag=TEXT)),
    ),
}
