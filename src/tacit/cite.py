"""The papers that a system, or a run, stands on: of the system and of every part in it."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tacit.core.part import Part

_MENTION = re.compile(
    r"(?P<who>[A-Z][\w'’-]+(?:(?:, | & |, & |, van den | van den )[A-Z][\w'’-]+)*(?: et al\.)?|von Luxburg) "
    r"(?P<year>(?:19|20)\d\d),? (?P<id>arXiv:\d{4}\.\d{4,5}|doi:[^\s,;)\"]+|https://openreview\.net/forum\?id=\w+|https://papers\.nips\.cc/paper/[\w-]+)"
)

KNOWN = {
    "arXiv:1406.2661": (
        "Goodfellow, Ian and Pouget-Abadie, Jean and Mirza, Mehdi and Xu, Bing and Warde-Farley, David and Ozair, Sherjil and "
        "Courville, Aaron and Bengio, Yoshua",
        "Generative Adversarial Networks",
    ),
    "arXiv:1511.06434": (
        "Radford, Alec and Metz, Luke and Chintala, Soumith",
        "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
    ),
    "arXiv:1704.00028": (
        "Gulrajani, Ishaan and Ahmed, Faruk and Arjovsky, Martin and Dumoulin, Vincent and Courville, Aaron",
        "Improved Training of Wasserstein GANs",
    ),
    "arXiv:1701.07875": ("Arjovsky, Martin and Chintala, Soumith and Bottou, Léon", "Wasserstein GAN"),
    "arXiv:1809.03627": (
        "Mukherjee, Sudipto and Asnani, Himanshu and Lin, Eugene and Kannan, Sreeram",
        "ClusterGAN: Latent Space Clustering in Generative Adversarial Networks",
    ),
    "arXiv:1312.6114": ("Kingma, Diederik P. and Welling, Max", "Auto-Encoding Variational Bayes"),
    "arXiv:1401.4082": (
        "Rezende, Danilo Jimenez and Mohamed, Shakir and Wierstra, Daan",
        "Stochastic Backpropagation and Approximate Inference in Deep Generative Models",
    ),
    "arXiv:1503.02531": ("Hinton, Geoffrey and Vinyals, Oriol and Dean, Jeff", "Distilling the Knowledge in a Neural Network"),
    "arXiv:1412.6980": ("Kingma, Diederik P. and Ba, Jimmy", "Adam: A Method for Stochastic Optimization"),
    "arXiv:1711.05101": ("Loshchilov, Ilya and Hutter, Frank", "Decoupled Weight Decay Regularization"),
    "arXiv:1611.04076": (
        "Mao, Xudong and Li, Qing and Xie, Haoran and Lau, Raymond Y. K. and Wang, Zhen and Smolley, Stephen Paul",
        "Least Squares Generative Adversarial Networks",
    ),
    "arXiv:1705.02894": ("Lim, Jae Hyun and Ye, Jong Chul", "Geometric GAN"),
    "arXiv:1705.10461": ("Mescheder, Lars and Nowozin, Sebastian and Geiger, Andreas", "The Numerics of GANs"),
    "arXiv:1801.04406": (
        "Mescheder, Lars and Geiger, Andreas and Nowozin, Sebastian",
        "Which Training Methods for GANs do actually Converge?",
    ),
    "arXiv:1802.05957": (
        "Miyato, Takeru and Kataoka, Toshiki and Koyama, Masanori and Yoshida, Yuichi",
        "Spectral Normalization for Generative Adversarial Networks",
    ),
    "arXiv:1802.10551": (
        "Gidel, Gauthier and Berard, Hugo and Vignoud, Gaëtan and Vincent, Pascal and Lacoste-Julien, Simon",
        "A Variational Inequality Perspective on Generative Adversarial Networks",
    ),
    "arXiv:1912.04958": (
        "Karras, Tero and Laine, Samuli and Aittala, Miika and Hellsten, Janne and Lehtinen, Jaakko and Aila, Timo",
        "Analyzing and Improving the Image Quality of StyleGAN",
    ),
    "arXiv:1801.01587": (
        "Shaham, Uri and Stanton, Kelly and Li, Henry and Nadler, Boaz and Basri, Ronen and Kluger, Yuval",
        "SpectralNet: Spectral Clustering using Deep Neural Networks",
    ),
    "arXiv:1606.00709": (
        "Nowozin, Sebastian and Cseke, Botond and Tomioka, Ryota",
        "f-GAN: Training Generative Neural Samplers using Variational Divergence Minimization",
    ),
    "arXiv:1707.04385": (
        "Nock, Richard and Cranko, Zac and Menon, Aditya Krishna and Qu, Lizhen and Williamson, Robert C.",
        "f-GANs in an Information Geometric Nutshell",
    ),
    "arXiv:1702.01691": (
        "Dai, Zihang and Almahairi, Amjad and Bachman, Philip and Hovy, Eduard and Courville, Aaron",
        "Calibrating Energy-based Generative Adversarial Networks",
    ),
    "arXiv:1610.02920": (
        "Uehara, Masatosi and Sato, Issei and Suzuki, Masahiro and Nakayama, Kotaro and Matsuo, Yutaka",
        "Generative Adversarial Nets from a Density Ratio Estimation Perspective",
    ),
    "arXiv:1705.08991": (
        "Liu, Shuang and Bousquet, Olivier and Chaudhuri, Kamalika",
        "Approximation and Convergence Properties of Generative Adversarial Learning",
    ),
    "arXiv:1705.09675": ("Mroueh, Youssef and Sercu, Tom", "Fisher GAN"),
    "arXiv:1709.03831": (
        "Nguyen, Tu Dinh and Le, Trung and Vu, Hung and Phung, Dinh",
        "Dual Discriminator Generative Adversarial Nets",
    ),
    "arXiv:1609.03126": ("Zhao, Junbo and Mathieu, Michael and LeCun, Yann", "Energy-based Generative Adversarial Network"),
    "arXiv:1703.10717": (
        "Berthelot, David and Schumm, Thomas and Metz, Luke",
        "BEGAN: Boundary Equilibrium Generative Adversarial Networks",
    ),
    "arXiv:1704.03817": (
        "Wang, Ruohan and Cully, Antoine and Chang, Hyung Jin and Demiris, Yiannis",
        "MAGAN: Margin Adaptation for Generative Adversarial Networks",
    ),
    "arXiv:1606.03498": (
        "Salimans, Tim and Goodfellow, Ian and Zaremba, Wojciech and Cheung, Vicki and Radford, Alec and Chen, Xi",
        "Improved Techniques for Training GANs",
    ),
    "arXiv:1502.02761": ("Li, Yujia and Swersky, Kevin and Zemel, Richard", "Generative Moment Matching Networks"),
    "arXiv:1712.04086": (
        "Lin, Zinan and Khetan, Ashish and Fanti, Giulia and Oh, Sewoong",
        "PacGAN: The power of two samples in generative adversarial networks",
    ),
    "arXiv:1606.00704": (
        "Dumoulin, Vincent and Belghazi, Ishmael and Poole, Ben and Mastropietro, Olivier and Lamb, Alex and Arjovsky, Martin "
        "and Courville, Aaron",
        "Adversarially Learned Inference",
    ),
    "arXiv:1605.09782": ("Donahue, Jeff and Krähenbühl, Philipp and Darrell, Trevor", "Adversarial Feature Learning"),
    "arXiv:1705.07761": (
        "Srivastava, Akash and Valkov, Lazar and Russell, Chris and Gutmann, Michael U. and Sutton, Charles",
        "VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational Learning",
    ),
    "arXiv:1612.02136": (
        "Che, Tong and Li, Yanran and Jacob, Athul Paul and Bengio, Yoshua and Li, Wenjie",
        "Mode Regularized Generative Adversarial Networks",
    ),
    "arXiv:1703.00573": (
        "Arora, Sanjeev and Ge, Rong and Liang, Yingyu and Ma, Tengyu and Zhang, Yi",
        "Generalization and Equilibrium in Generative Adversarial Nets (GANs)",
    ),
    "arXiv:1610.04490": (
        "Sønderby, Casper Kaae and Caballero, Jose and Theis, Lucas and Shi, Wenzhe and Huszár, Ferenc",
        "Amortised MAP Inference for Image Super-resolution",
    ),
    "arXiv:1701.02386": (
        "Tolstikhin, Ilya and Gelly, Sylvain and Bousquet, Olivier and Simon-Gabriel, Carl-Johann and Schölkopf, Bernhard",
        "AdaGAN: Boosting Generative Models",
    ),
    "arXiv:1705.09558": ("Saatchi, Yunus and Wilson, Andrew Gordon", "Bayesian GAN"),
    "arXiv:1402.4102": ("Chen, Tianqi and Fox, Emily B. and Guestrin, Carlos", "Stochastic Gradient Hamiltonian Monte Carlo"),
    "arXiv:1611.02163": (
        "Metz, Luke and Poole, Ben and Pfau, David and Sohl-Dickstein, Jascha",
        "Unrolled Generative Adversarial Networks",
    ),
    "arXiv:1706.04156": ("Nagarajan, Vaishnavh and Kolter, J. Zico", "Gradient descent GAN optimization is locally stable"),
    "arXiv:1705.09367": (
        "Roth, Kevin and Lucchi, Aurelien and Nowozin, Sebastian and Hofmann, Thomas",
        "Stabilizing Training of Generative Adversarial Networks through Regularization",
    ),
    "arXiv:0711.0189": ("von Luxburg, Ulrike", "A Tutorial on Spectral Clustering"),
    "doi:10.1126/science.1127647": (
        "Hinton, Geoffrey E. and Salakhutdinov, Ruslan R.",
        "Reducing the Dimensionality of Data with Neural Networks",
    ),
    "doi:10.1111/j.2517-6161.1977.tb01600.x": (
        "Dempster, Arthur P. and Laird, Nan M. and Rubin, Donald B.",
        "Maximum Likelihood from Incomplete Data via the EM Algorithm",
    ),
    "doi:10.1109/TIT.1982.1056489": ("Lloyd, Stuart P.", "Least Squares Quantization in PCM"),
    "arXiv:1701.04862": (
        "Arjovsky, Martin and Bottou, Léon",
        "Towards Principled Methods for Training Generative Adversarial Networks",
    ),
    "arXiv:1702.08398": ("Mroueh, Youssef and Sercu, Tom and Goel, Vaibhava", "McGan: Mean and Covariance Feature Matching GAN"),
    "arXiv:1705.08584": (
        "Li, Chun-Liang and Chang, Wei-Cheng and Cheng, Yu and Yang, Yiming and Póczos, Barnabás",
        "MMD GAN: Towards Deeper Understanding of Moment Matching Network",
    ),
    "arXiv:1706.06216": ("Li, Yujia and Schwing, Alexander and Wang, Kuan-Chieh and Zemel, Richard", "Dualing GANs"),
    "arXiv:1606.03657": (
        "Chen, Xi and Duan, Yan and Houthooft, Rein and Schulman, John and Sutskever, Ilya and Abbeel, Pieter",
        "InfoGAN: Interpretable Representation Learning by Information Maximizing Generative Adversarial Nets",
    ),
    "arXiv:1511.06390": (
        "Springenberg, Jost Tobias",
        "Unsupervised and Semi-supervised Learning with Categorical Generative Adversarial Networks",
    ),
    "https://papers.nips.cc/paper/4154-discriminative-clustering-by-regularized-information-maximization": (
        "Krause, Andreas and Perona, Pietro and Gomes, Ryan",
        "Discriminative Clustering by Regularized Information Maximization",
    ),
    "arXiv:1511.05644": (
        "Makhzani, Alireza and Shlens, Jonathon and Jaitly, Navdeep and Goodfellow, Ian and Frey, Brendan",
        "Adversarial Autoencoders",
    ),
    "arXiv:1611.02648": (
        "Dilokthanakul, Nat and Mediano, Pedro A. M. and Garnelo, Marta and Lee, Matthew C. H. and Salimbeni, Hugh and "
        "Arulkumaran, Kai and Shanahan, Murray",
        "Deep Unsupervised Clustering with Gaussian Mixture Variational Autoencoders",
    ),
    "arXiv:1606.05328": (
        "van den Oord, Aaron and Kalchbrenner, Nal and Vinyals, Oriol and Espeholt, Lasse and Graves, Alex and Kavukcuoglu, Koray",
        "Conditional Image Generation with PixelCNN Decoders",
    ),
    "arXiv:1706.00531": ("Makhzani, Alireza and Frey, Brendan", "PixelGAN Autoencoders"),
    "arXiv:1702.08720": (
        "Hu, Weihua and Miyato, Takeru and Tokui, Seiya and Matsumoto, Eiichi and Sugiyama, Masashi",
        "Learning Discrete Representations via Information Maximizing Self-Augmented Training",
    ),
    "https://openreview.net/forum?id=S1X7nhsxl": (
        "Warde-Farley, David and Bengio, Yoshua",
        "Improving Generative Adversarial Networks with Denoising Feature Matching",
    ),
}
"""Authors and titles by identifier, for BibTeX; a paper that is not here is cited by author and year."""


@dataclass(frozen=True)
class Paper:
    """A paper as the docstrings name it.

    Attributes:
        who: authors as cited (``Mukherjee et al.``).
        year: of publication.
        id: ``arXiv:1809.03627``, ``doi:…``, or an address at OpenReview or NIPS.
        of: the part that it describes.
    """

    who: str
    year: int
    id: str
    of: str

    @property
    def url(self) -> str:
        kind, _, rest = self.id.partition(":")
        return {"arXiv": f"https://arxiv.org/abs/{rest}", "doi": f"https://doi.org/{rest}"}.get(kind, self.id)

    def text(self) -> str:
        """One line: authors, year, title where known, link."""
        title = KNOWN.get(self.id, ("", ""))[1]
        return f"{self.of}: {self.who} {self.year}{f', {title}' if title else ''}, {self.url}"

    def key(self) -> str:
        """``mukherjee2019clustergan``: author, year and the first long word of the title."""
        name = re.sub(r"\W", "", re.split(r"[ ,&]", self.who.removeprefix("von "))[0]).lower()
        title = KNOWN.get(self.id, ("", ""))[1]
        word = next((w.lower() for w in re.findall(r"[A-Za-z]+", title) if len(w) > 3), "")
        return f"{name}{self.year}{word}"

    def bibtex(self) -> str:
        """A BibTeX entry."""
        authors, title = KNOWN.get(self.id, (self.who.replace(" & ", " and ").replace(" et al.", " and others"), ""))
        kind, _, rest = self.id.partition(":")
        lines = [f"  author = {{{authors}}}", f"  year = {{{self.year}}}", f"  url = {{{self.url}}}"]
        if title:
            lines.insert(1, f"  title = {{{{{title}}}}}")
        lines += {"arXiv": [f"  eprint = {{{rest}}}", "  archivePrefix = {arXiv}"], "doi": [f"  doi = {{{rest}}}"]}.get(kind, [])
        return f"@{'article' if kind == 'doi' else 'misc'}{{{self.key()},\n" + ",\n".join(lines) + "\n}"


def parts_of(part: Part) -> Iterator[Part]:
    """A part and every part in it, from the outside in."""
    yield part
    for f in dataclasses.fields(part):  # type: ignore[arg-type]
        value = getattr(part, f.name)
        for inner in value if isinstance(value, tuple | list) else (value,):
            if isinstance(inner, Part):
                yield from parts_of(inner)


def _deformed(part: Part) -> bool:
    """Whether a part uses an activation with a signature, or a link of its own."""
    words = [str(getattr(part, k, "")).partition(":")[0] for k in ("act", "critic_act")]
    return getattr(part, "link", "table") != "table" or not {"log2-softplus", "mu-relu", "lsu"}.isdisjoint(words)


def papers(system: Part) -> list[Paper]:
    """The papers of a system and of every part in it, each once, the system's first.

    >>> from tacit.systems import WGANGP
    >>> [p.id for p in papers(WGANGP()) if p.of in ("wgangp", "wasserstein")]
    ['arXiv:1704.00028', 'arXiv:1701.07875']
    """
    found: dict[str, Paper] = {}
    for part in parts_of(system):
        cls: Any = type(part)
        for text in (getattr(cls, "paper", ""), inspect.cleandoc(cls.__doc__ or "")):
            for m in _MENTION.finditer(" ".join(text.split())):
                if m["id"] == "arXiv:1711.05101" and not getattr(part, "weight_decay", 0):
                    continue
                if m["id"] == "arXiv:1912.04958" and getattr(part, "every", 1) == 1:
                    continue
                if m["id"] == "arXiv:1606.03498" and not getattr(part, "smoothing", 1):
                    continue
                if m["id"] == "arXiv:1712.04086" and getattr(part, "pack", 1) == 1:
                    continue
                if m["id"] == "arXiv:1707.04385" and not _deformed(part):
                    continue
                found.setdefault(m["id"], Paper(m["who"], int(m["year"]), m["id"], cls.name))
    return list(found.values())
