"""The networks' structure and what holds for them without any training."""

import numpy as np
import pytest

from intrepid_epid.networks.inputs import network_input
from intrepid_rt.errors import InvalidSetting
from toy_dataset import toy_arrays

torch = pytest.importorskip("torch")

from intrepid_epid.networks.architecture.unet import UNet  # noqa: E402
from intrepid_epid.networks.architecture.variants import VARIANTS, variant  # noqa: E402


def seeded(name, n_inputs=2, filters=8):
    torch.manual_seed(3)
    return variant(name)(n_inputs, filters).eval()


@pytest.mark.parametrize("filters", [8, 16])
def test_unet_is_that_of_the_founding_study(filters):
    network = UNet(1, 1, filters).eval()
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size == (3, 3)]
    widths = [module.out_channels for module in convolutions]
    down, up = widths[:10], widths[10:]
    assert down == [filters * 2**level for level in range(5) for _ in range(2)]
    assert sorted(up) == sorted(filters * 2**level for level in range(4) for _ in range(2))
    assert sum(isinstance(m, torch.nn.ConvTranspose2d) for m in network.modules()) == 4
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules()) == 2 * 8 - 2
    assert network(torch.zeros(1, 1, 16, 16)).shape == (1, 1, 16, 16)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_gives_a_dose_of_the_size_of_the_image(name):
    network = seeded(name)
    planes, physics = torch.rand(2, 2, 32, 32), torch.rand(2, 1, 48, 40)
    answer = network(planes)
    assert answer.shape == (2, network.n_outputs, 32, 32)
    if network.sees == "physics":
        finer = torch.nn.functional.interpolate(answer, size=(48, 40))
        assert network.dose(finer, physics).shape == (2, 1, 48, 40)


@pytest.mark.parametrize("name", ["residual", "dilated", "attention"])
def test_an_untrained_residual_network_leaves_the_physics_as_it_is(name):
    network = seeded(name)
    physics = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        assert torch.equal(network.dose(network(torch.rand(1, 2, 32, 32)), physics), physics)


@pytest.mark.parametrize("name", ["constrained", "residual"])
def test_no_dose_is_negative_whatever_the_weights(name):
    network = seeded(name)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    with torch.no_grad():
        answer = network(4 * torch.randn(8, 2, 32, 32))
        dose = network.dose(answer, torch.rand(8, 1, 32, 32))
    assert answer.min() < 0
    assert dose.min() >= 0


def test_the_correction_is_smooth_and_bounded():
    network = seeded("residual")
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    with torch.no_grad():
        rough, smooth = (f(torch.rand(1, 2, 64, 64)) for f in (network.unet, network))
    steps = [(plane[..., 1:] - plane[..., :-1]).abs().mean() / plane.abs().mean() for plane in (rough, smooth)]
    assert steps[1] < 0.5 * steps[0]
    assert smooth.abs().max() <= 0.3


@pytest.mark.parametrize("name", VARIANTS)
def test_dose_is_proportional_to_the_meterset(name):
    network = seeded(name, n_inputs=3)
    torch.nn.init.normal_(network.unet.last.weight, std=0.1)
    doses = []
    for meterset in (50.0, 200.0):
        arrays = toy_arrays(40.0, 30.0, 10.0, meterset, size=32, pixel_mm=8.0)
        seen = network_input(
            arrays.signal if network.sees == "signal" else arrays.physics_gy,
            arrays.physics_gy,
            ("transmission", "thickness"),
            open_gy=0.004 * meterset,
            thickness_g_cm2=arrays.thickness_g_cm2,
        )
        with torch.no_grad():
            answer = network(torch.from_numpy(seen.planes[None]))
            doses.append(seen.level_gy * network.dose(answer, torch.from_numpy(seen.physics[None, None])).numpy())
    assert doses[0].std() > 0
    np.testing.assert_allclose(doses[1], 4 * doses[0], rtol=1e-4, atol=1e-6)


def test_an_unknown_variant_is_refused_by_name():
    with pytest.raises(InvalidSetting, match="'magic'; choose one of unet"):
        variant("magic")
