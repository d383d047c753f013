"""The lecture's families of generative models (slides 7–8 and 19) as a tree, with the pages where each can be tried."""

from __future__ import annotations

from genlab.dashboard.components.tree import Branch
from genlab.dashboard.navigation import pages_of_family

AUTOREGRESSIVE = Branch(
    "Autoregressive",
    "One pixel after another. The exact likelihood; drawing takes its time, or need not.",
    "p(x) = ∏ p(xᵢ | x₁ … xᵢ₋₁)",
    pages_of_family("autoregressive"),
    model="mnist-pixelcnn",
)
REVERSIBLE = Branch(
    "Reversible",
    "Noise bent into images, one to one. The exact likelihood, drawn in one pass.",
    "p(x) = p(z) · |det ∂z/∂x|",
    pages_of_family("reversible") + pages_of_family("flow_matching"),
    model="mnist-flow",
)
VARIATIONAL = Branch(
    "Variational autoencoder",
    "A lower bound on the likelihood; features come with it.",
    "log p(x) ≥ E log p(x|z) − KL(q ‖ p)",
    pages_of_family("latent"),
    model="mnist-vae",
)
ADVERSARIAL = Branch(
    "Adversarial (GAN)",
    "A generator tries to fool a discriminator. No likelihood; drawn in one pass.",
    "min over G, max over D: E log D(x) + E log(1 − D(G(z)))",
    pages_of_family("adversarial"),
    model="mnist-dcgan",
)
TREE = Branch(
    "Generative models",
    "From examples, learn to make more of their kind.",
    branches=(
        Branch(
            "Explicit density",
            "p(x) is written down, and fitted.",
            branches=(
                Branch("Tractable", "p(x) can be computed.", branches=(AUTOREGRESSIVE, REVERSIBLE)),
                Branch("Approximate", "p(x) is an integral; it is bounded.", branches=(VARIATIONAL,)),
            ),
        ),
        Branch("Implicit density", "p(x) is never written down; one can only draw.", branches=(ADVERSARIAL,)),
    ),
)
