"""Transformers in numpy, float64, with backward passes derived by hand: what TransformerDerivationTest compares with.

Writes the parameters, by their names in dev.fovea.nn, the inputs, the output and the gradients of the sum of all
elements of the output, each times a weight, of an encoder that normalizes before its parts, with GELU and lengths
of keys (Xiong et al., arXiv 2002.04745; Hendrycks and Gimpel, arXiv 1606.08415), and of a decoder that normalizes
behind them, with ReLU and a memory (Vaswani et al., arXiv 1706.03762).

Every gradient is compared with central differences before anything is written.

usage: python transformer.py [folder]
"""

import json
import math
import pathlib
import sys

import numpy as np

BATCH, LENGTH, MEMORY, WIDTH, HEADS, HIDDEN, LAYERS = 2, 5, 4, 12, 3, 16, 2
EPSILON = float(np.float32(1e-5))  # as the kernels have it
STEP = 1e-5
RESOURCES = pathlib.Path(__file__).parent / "../resources/dev/fovea/nn"

_erf = np.vectorize(math.erf)


class Parameters:
    """Values and, added up, gradients by name."""

    def __init__(self, random):
        self.random = random
        self.values, self.gradients = {}, {}

    def make(self, name, *shape, scale=0.5, around=0.0):
        # Multiples of 1/64 are exact in float32 and short in decimals.
        self.values[name] = around + np.round(64 * scale * self.random.standard_normal(shape)) / 64

    def __getitem__(self, name):
        return self.values[name]

    def add(self, name, gradient):
        assert gradient.shape == self.values[name].shape, name
        self.gradients[name] = self.gradients.get(name, 0) + gradient


class Linear:
    """y = x W^T + b."""

    def __init__(self, parameters, name, inputs, outputs):
        self.p, self.name = parameters, name
        parameters.make(name + ".weight", outputs, inputs, scale=1 / math.sqrt(inputs))
        parameters.make(name + ".bias", outputs)

    def forward(self, x):
        self.x = x
        return np.einsum("bsi,oi->bso", x, self.p[self.name + ".weight"]) + self.p[self.name + ".bias"]

    def backward(self, dy):
        self.p.add(self.name + ".weight", np.einsum("bso,bsi->oi", dy, self.x))
        self.p.add(self.name + ".bias", dy.sum((0, 1)))
        return np.einsum("bso,oi->bsi", dy, self.p[self.name + ".weight"])


class LayerNorm:
    """y = g n + b with n = (x - mean) / s, s = sqrt(variance + epsilon).

    With h = g dy: dn/dx = (I - 1/D - n n^T / D) / s, so dx = (h - mean(h) - n mean(h n)) / s.
    """

    def __init__(self, parameters, name):
        self.p, self.name = parameters, name
        parameters.make(name + ".weight", WIDTH, scale=0.25, around=1.0)
        parameters.make(name + ".bias", WIDTH)

    def forward(self, x):
        centered = x - x.mean(-1, keepdims=True)
        self.s = np.sqrt((centered**2).mean(-1, keepdims=True) + EPSILON)
        self.n = centered / self.s
        return self.n * self.p[self.name + ".weight"] + self.p[self.name + ".bias"]

    def backward(self, dy):
        self.p.add(self.name + ".weight", (dy * self.n).sum((0, 1)))
        self.p.add(self.name + ".bias", dy.sum((0, 1)))
        h = dy * self.p[self.name + ".weight"]
        return (h - h.mean(-1, keepdims=True) - self.n * (h * self.n).mean(-1, keepdims=True)) / self.s


class Softmax:
    """Heads over keys: with p the softmax of z, dz = p (dp - <dp, p>)."""

    def __init__(self, visible):
        self.visible = visible  # of [B, 1, Sq, Sk]

    def forward(self, q, k, v):  # [B, S, H, D]
        self.q, self.k, self.v = q, k, v
        self.scale = 1 / math.sqrt(q.shape[-1])
        z = np.where(self.visible, self.scale * np.einsum("bihd,bjhd->bhij", q, k), -np.inf)
        e = np.exp(z - z.max(-1, keepdims=True))
        self.p = e / e.sum(-1, keepdims=True)
        return np.einsum("bhij,bjhd->bihd", self.p, v)

    def backward(self, dout):
        dp = np.einsum("bihd,bjhd->bhij", dout, self.v)
        dz = self.p * (dp - (dp * self.p).sum(-1, keepdims=True))
        dq = self.scale * np.einsum("bhij,bjhd->bihd", dz, self.k)
        dk = self.scale * np.einsum("bhij,bihd->bjhd", dz, self.q)
        return dq, dk, np.einsum("bhij,bihd->bjhd", self.p, dout)


def heads(x):
    return x.reshape(*x.shape[:2], HEADS, WIDTH // HEADS)


def rows(x):
    return x.reshape(*x.shape[:2], WIDTH)


class SelfAttention:
    """Query, key and value side by side in one projection."""

    def __init__(self, parameters, name, visible):
        self.project = Linear(parameters, name + ".query_key_value", WIDTH, 3 * WIDTH)
        self.out = Linear(parameters, name + ".out", WIDTH, WIDTH)
        self.softmax = Softmax(visible)

    def forward(self, x):
        q, k, v = (heads(part) for part in np.split(self.project.forward(x), 3, axis=-1))
        return self.out.forward(rows(self.softmax.forward(q, k, v)))

    def backward(self, dy):
        parts = self.softmax.backward(heads(self.out.backward(dy)))
        return self.project.backward(np.concatenate([rows(part) for part in parts], axis=-1))


class CrossAttention:
    """Keys and values side by side in a projection of the memory; gradients of that add up in `dmemory`."""

    def __init__(self, parameters, name, visible):
        self.query = Linear(parameters, name + ".query", WIDTH, WIDTH)
        self.pairs = Linear(parameters, name + ".key_value", WIDTH, 2 * WIDTH)
        self.out = Linear(parameters, name + ".out", WIDTH, WIDTH)
        self.softmax = Softmax(visible)

    def forward(self, x):
        k, v = (heads(part) for part in np.split(self.pairs.forward(self.memory), 2, axis=-1))
        return self.out.forward(rows(self.softmax.forward(heads(self.query.forward(x)), k, v)))

    def backward(self, dy):
        dq, dk, dv = self.softmax.backward(heads(self.out.backward(dy)))
        self.dmemory = self.pairs.backward(np.concatenate([rows(dk), rows(dv)], axis=-1))
        return self.query.backward(rows(dq))


class Gelu:
    """x Phi(x), whose derivative is Phi(x) + x phi(x)."""

    def forward(self, x):
        self.x = x
        return x * (1 + _erf(x / math.sqrt(2))) / 2

    def backward(self, dy):
        density = np.exp(-self.x**2 / 2) / math.sqrt(2 * math.pi)
        return dy * ((1 + _erf(self.x / math.sqrt(2))) / 2 + self.x * density)


class Relu:
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, dy):
        return dy * (self.x > 0)


class FeedForward:
    def __init__(self, parameters, name, function):
        self.up = Linear(parameters, name + ".up", WIDTH, HIDDEN)
        self.down = Linear(parameters, name + ".down", HIDDEN, WIDTH)
        self.function = function

    def forward(self, x):
        return self.down.forward(self.function.forward(self.up.forward(x)))

    def backward(self, dy):
        return self.up.backward(self.function.backward(self.down.backward(dy)))


class Residual:
    """x + part(norm(x)), or norm(x + part(x))."""

    def __init__(self, part, norm, post):
        self.part, self.norm, self.post = part, norm, post

    def forward(self, x):
        if self.post:
            return self.norm.forward(x + self.part.forward(x))
        return x + self.part.forward(self.norm.forward(x))

    def backward(self, dy):
        if self.post:
            dsum = self.norm.backward(dy)
            return dsum + self.part.backward(dsum)
        return dy + self.norm.backward(self.part.backward(dy))


class Stack:
    """One part after the other."""

    def __init__(self, parts):
        self.parts = parts

    def forward(self, x, memory=None):
        for part in self.parts:
            if isinstance(part, Residual) and isinstance(part.part, CrossAttention):
                part.part.memory = memory
            x = part.forward(x)
        return x

    def backward(self, dy):
        """The gradients of x and of the memory."""
        dmemory = 0
        for part in reversed(self.parts):
            dy = part.backward(dy)
            if isinstance(part, Residual) and isinstance(part.part, CrossAttention):
                dmemory = dmemory + part.part.dmemory
        return dy, dmemory


def seen(lengths, keys):
    return (np.arange(keys) < np.array(lengths)[:, None])[:, None, None, :]


def encoder(parameters, lengths):
    parts = []
    for i in range(LAYERS):
        name = f"layers.{i}."
        norm = LayerNorm(parameters, name + "attention_norm")
        parts.append(Residual(SelfAttention(parameters, name + "attention", seen(lengths, LENGTH)), norm, post=False))
        norm = LayerNorm(parameters, name + "feed_forward_norm")
        parts.append(Residual(FeedForward(parameters, name + "feed_forward", Gelu()), norm, post=False))
    return Stack([*parts, LayerNorm(parameters, "norm")])


def decoder(parameters, lengths):
    causal = np.tril(np.ones((LENGTH, LENGTH), bool))[None, None]
    parts = []
    for i in range(LAYERS):
        name = f"layers.{i}."
        norm = LayerNorm(parameters, name + "self_attention_norm")
        parts.append(Residual(SelfAttention(parameters, name + "self_attention", causal), norm, post=True))
        norm = LayerNorm(parameters, name + "cross_attention_norm")
        cross = CrossAttention(parameters, name + "cross_attention", seen(lengths, MEMORY))
        parts.append(Residual(cross, norm, post=True))
        norm = LayerNorm(parameters, name + "feed_forward_norm")
        parts.append(Residual(FeedForward(parameters, name + "feed_forward", Relu()), norm, post=True))
    return Stack(parts)


def check(model, parameters, inputs, weights):
    """Every gradient against central differences, element by element."""

    def loss():
        return (model.forward(*inputs.values()) * weights).sum()

    worst = 0
    for all_values, gradients in ((parameters.values, parameters.gradients), (inputs, inputs_gradients(model))):
        for name, values in all_values.items():
            expected = np.zeros_like(values)
            for index in np.ndindex(values.shape):
                before = values[index]
                values[index] = before + STEP
                up = loss()
                values[index] = before - STEP
                expected[index] = (up - loss()) / (2 * STEP)
                values[index] = before
            error = np.abs(expected - gradients[name]).max() / max(1e-3, np.abs(expected).max())
            assert error < 1e-7, (name, error)
            worst = max(worst, error)
    return worst


def inputs_gradients(model):
    return {"x": model.dx, "memory": model.dmemory}


def kinks(model):
    """How near to one of its kinks a ReLU is asked."""
    layers = [part.part for part in model.parts if isinstance(part, Residual) and isinstance(part.part, FeedForward)]
    return min((np.abs(it.function.x).min() for it in layers if isinstance(it.function, Relu)), default=1)


def digits(values):
    return [float(f"{value:.8g}") for value in np.ravel(values)]


def exact(values):
    assert (values.astype(np.float32) == values).all()
    return [float(value) for value in np.ravel(values)]


def fixture(make, lengths, shapes, seed):
    random = np.random.default_rng(seed)
    parameters = Parameters(random)
    model = make(parameters, lengths)
    inputs = {name: np.round(64 * random.standard_normal(shape)) / 64 for name, shape in shapes.items()}
    out = model.forward(*inputs.values())
    weights = np.round(64 * random.uniform(-1, 1, out.shape)) / 64
    model.dx, model.dmemory = model.backward(weights)
    assert kinks(model) > 10 * STEP
    worst = check(model, parameters, inputs, weights)
    print(f"{make.__name__}: {sum(v.size for v in parameters.values.values())} parameters, error {worst:.1e}")
    gradients = inputs_gradients(model)
    return {
        "heads": HEADS, "hidden": HIDDEN, "layers": LAYERS, "key_lengths": lengths,
        "parameters": {
            name: {"shape": value.shape, "value": exact(value), "gradient": digits(parameters.gradients[name])}
            for name, value in parameters.values.items()
        },
        "inputs": {
            name: {"shape": value.shape, "value": exact(value), "gradient": digits(gradients[name])}
            for name, value in inputs.items()
        },
        "weights": exact(weights), "out": digits(out),
    }


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else RESOURCES
    x, memory = (BATCH, LENGTH, WIDTH), (BATCH, MEMORY, WIDTH)
    for name, what in {
        "encoder": fixture(encoder, [3, LENGTH], {"x": x}, seed=1),
        "decoder": fixture(decoder, [MEMORY, 2], {"x": x, "memory": memory}, seed=2),
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(what, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
