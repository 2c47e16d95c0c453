"""Recipes over others: overrides, files that extend others, families, and their errors."""

import dataclasses

import pytest
from spikeplane.network.input import InputFormat
from spikeplane.training.net.families import NetworkRecipe
from spikeplane.training.recipe.recipes import Recipe, RecipeError, load_recipe
from spikeplane.training.run.checkpoint import Checkpoint, save_checkpoint


def test_overrides():
    found = load_recipe("digits", [
        "training.epochs=5", "layers.conv2.channels=48", "neuron.levels=uniform",
        "training.learning_rate=1", "training.regularizers.spike_regulation.weight=0",
    ])
    assert found.training.epochs == 5 and found.neuron.options["levels"] == "uniform"
    assert [layer.channels for layer in found.layers if layer.name == "conv2"] == [48]
    assert found.training.learning_rate == 1.0
    assert found.training.regularizers["spike_regulation"]["weight"] == 0


def test_options_of_a_layer_add_up():
    first = ["layers.conv2.options.start=1", "layers.conv2.options.end=5"]
    found = load_recipe("digits", first)
    assert next(layer.options for layer in found.layers if layer.name == "conv2") == {"start": 1, "end": 5}
    found = load_recipe("cifar10_compact", [*first, "network.options.regulate=false"])
    assert next(layer.options for layer in found.layers if layer.name == "conv2") == {
        "regulate": False, "start": 1, "end": 5,
    }


def test_false_and_whole_tables_leave_out(write):
    path = write("plain.toml", """
        extends = "cifar10_resnet19_1w2u"
        [training.augmentations]
        autoaugment = false
        [training.regularizers]
        spike_regulation = false
    """)
    found = load_recipe(path).training
    assert found.regularizers == {} and list(found.augmentations) == ["shift", "flip", "cutout"]
    found = load_recipe(path, ["training.augmentations.flip=false", "training.augmentations.cutout={size=3}"])
    assert found.training.augmentations == {"shift": {"pixels": 4}, "cutout": {"size": 3}}
    assert load_recipe(path, ["training.augmentations={}"]).training.augmentations == {}
    with pytest.raises(RecipeError, match="data must be a table, not False"):
        load_recipe(path, ["data=false"])


def test_losses_and_the_name_of_one(write):
    assert load_recipe("digits").training.losses == {"tet": {}}
    path = write("base.toml", """
        extends = "digits"
        [training]
        loss = "mean"
    """)
    assert load_recipe(path).training.losses == {"mean": {}}
    smooth = "training.losses.tet.label_smoothing=0.1"
    assert load_recipe(path, [smooth]).training.losses == {"mean": {}, "tet": {"label_smoothing": 0.1}}
    # A name alone takes the place of all.
    assert load_recipe(path, [smooth, "training.loss=tet"]).training.losses == {"tet": {}}
    found = load_recipe(path, [smooth, "training.losses.mean=false"]).training
    assert found.losses == {"tet": {"label_smoothing": 0.1}}
    both = write("both.toml", """
        extends = "digits"
        training = {loss = "mean", losses = {tet = {}}}
    """)
    with pytest.raises(RecipeError, match=r"both\.toml: training\.loss and training\.losses exclude each other"):
        load_recipe(both)


def test_tables_on_the_command_line():
    found = load_recipe("digits", ["layers.conv2.options={regulate=false}"])
    assert [layer.options for layer in found.layers if layer.name == "conv2"] == [{"regulate": False}]
    found = load_recipe("cifar10_vgg16_1w2u", ["network.options={end=5}"])
    assert found.layers[1].options == {"end": 5}
    with pytest.raises(RecipeError, match="network must be a table, not 5"):
        load_recipe("cifar10_vgg16_1w2u", ["network=5"])
    assert load_recipe("cifar10_vgg16_1w2u", ["network=5", "network.family=vgg9"]).layers


def test_augmentations_keep_their_order():
    found = load_recipe("digits", ["training.augmentations.flip.probability=0.25"])
    assert found.training.augmentations == {"shift": {"pixels": 1}, "flip": {"probability": 0.25}}
    assert list(found.training.augmentations) == ["shift", "flip"]


@pytest.mark.parametrize(("override", "message"), [
    ("training.epochs", "override 'training.epochs': expected key=value"),
    ("training.epoch=5", "unknown key training.epoch; known are epochs, "),
    ("training.epochs=many", 'training.epochs must be int, not "many"'),
    ("training.epochs=0", "training.epochs must be positive, not 0"),
    ("training.loss=hinge",
     "training.losses must be of distillation, mean, potential_distillation, tet, not 'hinge'"),
    ("training.loss=3", r"override 'training\.loss=3': training\.loss must be str, not 3"),
    ("training.losses.tet=false", "training.losses must name a loss"),
    ("training.losses.tet.weight=-1", r"training\.losses\.tet\.weight must be a number of 0 or more, not -1"),
    ("training.losses.tet.weight=true", r"training\.losses\.tet\.weight must be a number"),
    ("training.losses.tet.label_smoothing=1", r"training\.losses\.tet: label_smoothing must be 0 or more and below 1"),
    ("training.losses.tet.head=1", r"training\.losses\.tet\.head is 1, but the network has 1, counted from 0"),
    ("training.losses.tet.head=-1", r"training\.losses\.tet: head must be an integer of 0 or more, not -1"),
    ("training.warmup_epochs=80", r"training\.warmup_epochs must be 0 or more and below the 80 epochs, not 80"),
    ("training.losses.mean.smooth=1", r"training\.losses\.mean: .*'smooth'"),
    ("training.loss=distillation", r"training\.losses\.distillation needs a teacher: set training\.teacher"),
    ("training.teacher={checkpoint='a'}", r"training\.teacher is used by none of the losses tet"),
    ("training.teacher={}", r"training\.teacher must have either checkpoint or classifier"),
    ("training.teacher={classifier='resnet20_cifar10'}", "teacher.classifier and training.teacher.weights go together"),
    ("training.teacher={classifier='lenet', weights='a'}",
     r"training\.teacher\.classifier must be one of resnet20_cifar10, resnet56_cifar10, not 'lenet'"),
    ("training.start={}", r"training\.start must have either checkpoint or classifier"),
    ("training.start={checkpoint='a', classifier='resnet20_cifar10'}", "training.start must have either checkpoint or"),
    ("training.start={classifier='resnet20_cifar10'}", r"start\.classifier and training\.start\.weights go together"),
    ("training.start={classifier='lenet', weights='a'}", "training.start.classifier must be one of resnet20_cifar10"),
    ("training.start=1", "training.start must be a table, not 1"),
    ("data.validation=-1", "data.validation must be 0 samples or more, not -1"),
    ("data.validation_seed=-1", r"data\.validation_seed must be in 0\.\.4294967295, not -1"),
    ("training.regularizers.lasso.weight=1",
     "training.regularizers must be of spike_limit, spike_regulation, not 'lasso'"),
    ("training.augmentations.cutmix.probability=0.5",
     "training.augmentations.cutmix changes what a sample shows, but not its label: training.losses.tet must not be"),
    ("training.regularizers.spike_regulation.foo=1", r"training\.regularizers\.spike_regulation: .*'foo'"),
    ("training.regularizers.spike_regulation=5",
     r"training\.regularizers\.spike_regulation must be a table of options, or false, not 5"),
    ("training.regularizers.spike_regulation.weight=x", r"training\.regularizers\.spike_regulation: "),
    ("training.regularizers.spike_regulation.target=2",
     r"training\.regularizers\.spike_regulation: target must be in 0\.\.1, not 2"),
    ("training.weight_decay=-1", "training.weight_decay must be 0 or more, not -1"),
    ("seed=-1", r"digits\.toml: seed must be in 0\.\.4294967295, not -1"),
    ("data.name=nope", r"digits\.toml: data\.name must be one of .*, not 'nope'"),
    ("layers.conv2.options.start=0", "layer 'conv2': start must be a number above 0, not 0"),
    ("layers.conv2.options.end=many", "layer 'conv2': end must be a number above 0, not 'many'"),
    ("layers.conv2.options.regulate=no", "layer 'conv2': regulate must be true or false, not 'no'"),
    ("layers.conv1.name=values", "layer 'values': PyTorch's modules use this name"),
    ("training.augmentations.rotate.angle=1",
     "training.augmentations must be of autoaugment, cutmix, cutout, .*flip, randaugment, shift, not 'rotate'"),
    ("training.augmentations.randaugment.count=1", r"training\.augmentations\.randaugment needs data\.bits = 8, not 1"),
    ("training.mixup.alpha=0.0", r"training\.mixup\.alpha must be above 0, not 0\.0"),
    ("training.mixup.until=1.5", r"training\.mixup\.until must be in 0\.\.1, not 1\.5"),
    ("training.mixup.beta=1", r"training\.mixup\.beta"),
    ("training.augmentations.shift.pixels=-1",
     "training.augmentations.shift: pixels must be an integer of 0 or more, not -1"),
    ("training.augmentations.flip.chance=1", r"training\.augmentations\.flip: .*'chance'"),
    ("data.frames=number", "data.frames must be one of time, count, not 'number'"),
    ("data.downsample=0", "data.downsample must be an integer of 1 or more, not 0"),
    ("data.steps=0", "data.steps must be an integer in 1..65536, not 0"),
    ("layers.conv9.channels=1", "no layer is named 'conv9'"),
    ("layers.conv1=1", "name the layer and the key"),
    ("layers.conv1.kind=lstm", "layer 'conv1': kind must be one of .* not 'lstm'"),
    ("layers.conv1.state_bits=9", r"unknown key layers\.conv1\.state_bits; known are name, kind, "),
    ("layers.conv1.neuron.taps=2",
     r"layer 'conv1': unknown key neuron\.taps; known are state_bits, levels, leak, reset"),
    ("layers.conv1.neuron.dynamics=izhikevich",
     r"layer 'conv1': neuron\.dynamics must be one of graded, imported, integrating, leaky, memory_free, "
     r"not 'izhikevich'"),
    ("neuron.taps=2", r"digits\.toml: unknown key neuron\.taps; known are state_bits, levels, leak, reset"),
    ("layers.conv1.neuron.state_bits=9",
     r"digits\.toml: layer 'conv1': state_bits must be 0, 2 to 8 or 16, not 9"),
    ("layers.conv1.neuron.state_bits=four", r"layer 'conv1': neuron\.state_bits must be int, not \"four\""),
    ("layers.conv1.neuron.levels=log", "layer 'conv1': levels must be one of .* not 'log'"),
    ("layers.conv1.neuron.reset=half", "layer 'conv1': reset must be one of .* not 'half'"),
    ("neuron.leak=2", r"layer 'conv1': leak must be in 0\.\.1 with state_bits \d+, not 2"),
    ("layers.classifier.neuron.leak=0.5", "layer 'classifier': a classifier has no neurons whose leak to set"),
    ("seed.x=1", "'seed' is a value, not a table"),
    ("data=3", "data must be a table, not 3"),
])
def test_bad_overrides_are_refused(override, message):
    with pytest.raises(RecipeError, match=message):
        load_recipe("digits", [override])


def test_a_recipe_extends_another(write):
    write("mine.toml", """
        extends = "digits"
        seed = 7
        [training]
        epochs = 3
        [training.augmentations.flip]
        [layers.conv2]
        channels = 40
    """)
    found = load_recipe(write("more.toml", """
        extends = "mine.toml"
        [layers.conv2.neuron]
        state_bits = 8
        [neuron]
        leak = 0.25
    """), ["layers.conv3.channels=9", "training.batch_size=10"])
    base = load_recipe("digits")
    assert (found.name, found.seed, found.data) == ("more", 7, base.data)
    assert found.neuron == base.neuron.over(leak=0.25)
    changed = {"conv2": {"channels": 40, "neuron": {"state_bits": 8}}, "conv3": {"channels": 9}}
    assert found.layers == [
        dataclasses.replace(layer, **changed.get(layer.name, {})) for layer in base.layers
    ]
    assert found.training == dataclasses.replace(
        base.training, epochs=3, batch_size=10,
        augmentations={**base.training.augmentations, "flip": {}},
    )


def test_a_recipe_names_a_family(write):
    path = write("net.toml", """
        seed = 1
        data = {name = "cifar10", steps = 2, bits = 8}
        training = {epochs = 1}
        [network]
        family = "resnet20"
        width = 32
        [layers.block4]
        shortcut = "conv"
        [layers.conv1]
        neuron.state_bits = 8
    """)
    found = load_recipe(path, ["network.weights=odd", "network.weight_bits=2", "layers.block2.channels=72"])
    family = NetworkRecipe(family="resnet20", width=32, weights="odd", weight_bits=2).layers()
    changed = {
        "block2": {"channels": 72}, "block4": {"shortcut": "conv"}, "conv1": {"neuron": {"state_bits": 8}},
    }
    assert found.layers == [
        dataclasses.replace(layer, **changed.get(layer.name, {})) for layer in family
    ]
    assert Recipe.from_dict(found.to_dict()) == found
    other = load_recipe(write("other.toml", """
        extends = "net.toml"
        network = {family = "resnet19"}
    """))
    # Another family has its own width; settings of layers stay.
    assert other.layers[0].channels == 128 and other.layers[0].neuron == {"state_bits": 8}
    listed = load_recipe(write("listed.toml", """
        extends = "other.toml"
        layers = [{name = "classifier", kind = "classifier"}]
    """))
    assert [layer.name for layer in listed.layers] == ["classifier"]
    again = load_recipe(write("again.toml", """
        extends = "listed.toml"
        network = {family = "vgg9", width = 4}
    """))
    assert again.layers == NetworkRecipe(family="vgg9", width=4).layers()


NET = "seed = 1\ndata = {name = 'cifar10', steps = 2, bits = 8}\ntraining = {epochs = 1}\n"


@pytest.mark.parametrize(("text", "message"), [
    ("extends = 3", r"mine\.toml: extends must be str, not 3"),
    ("extends = 'nothing'", r"mine\.toml: extends recipe 'nothing': expected a \.toml file or one of "),
    ("extends = 'nothing.toml'", r"mine\.toml: extends .*nothing\.toml: .*No such file"),
    ("extends = 'mine.toml'", r"mine\.toml: extends mine\.toml, which extends this file"),
    ("extends = 'loop.toml'", r"loop\.toml: extends mine\.toml, which extends this file"),
    ("extends = 'digits'\nlayers.conv9.channels = 1",
     r"mine\.toml: no layer is named 'conv9'; there are conv1, conv2, pool, conv3, conv4, classifier"),
    ("extends = 'digits'\nseed.x = 1", r"mine\.toml: 'seed' is a value, not a table"),
    (NET, "layers is missing"),
    (NET + "[network]\nwidth = 3", r"mine\.toml: network\.family is missing"),
    (NET + "[network]\nfamily = 'lenet'", r"mine\.toml: network\.family must be one of .* not 'lenet'"),
    (NET + "[network]\nfamily = 'vgg9'\nwidth = 'wide'", r"mine\.toml: network\.width must be int"),
    (NET + "[network]\nfamily = 'vgg9'\ndepth = 3", r"mine\.toml: unknown key network\.depth; known are "),
    (NET + "[network]\nfamily = 'vgg9'\nedge_bits = 3", r"layer 'conv1': absmax weights have 2, 4 or 8 bits"),
    (NET + "[network]\nfamily = 'vgg9'\n[layers.conv12]\nchannels = 3", "no layer is named 'conv12'"),
    (NET + "layers = []\n[network]\nfamily = 'vgg9'", r"\[\[layers\]\] and \[network\] exclude each other"),
])
def test_bad_bases_and_families_are_refused(write, text, message):
    write("loop.toml", "extends = 'mine.toml'")
    with pytest.raises(RecipeError, match=message):
        load_recipe(write("mine.toml", text))


def test_naming_another_kind_of_neuron_drops_the_options_of_the_former(write):
    """So a recipe with memory-free neurons extends one with leaky ones."""
    overrides = ["neuron.taps=3", "neuron.dynamics=memory_free", "layers.conv4.neuron={dynamics='leaky'}"]
    found = load_recipe("digits", overrides)
    assert found.neuron.to_dict() == {"dynamics": "memory_free", "taps": 3, "learned_taps": False}
    assert found.layers[4].neuron == {"dynamics": "leaky"}
    assert load_recipe("digits", ["layers.conv4.neuron.leak=0.25"]).layers[4].neuron == {"state_bits": 2, "leak": 0.25}
    with pytest.raises(RecipeError, match=r"unknown key neuron\.state_bit; known are taps, learned_taps"):
        load_recipe("digits", ["neuron.state_bit=3", "neuron.dynamics=memory_free"])


def test_a_recipe_extends_a_checkpoint(write, tmp_path):
    whole = load_recipe("digits")
    form = InputFormat(channels=2, height=10, width=10, steps=3)
    save_checkpoint(Checkpoint.start(whole, form, 10), tmp_path / "made.safetensors")
    path = write("on.toml", "extends = 'made.safetensors'\n[training]\nepochs = 2\n[layers.conv2]\nchannels = 7")
    found = load_recipe(path)
    assert found.name == "on" and found.training.epochs == 2
    assert [layer.channels for layer in found.layers] == [16, 7, 0, 64, 80, 0]
    assert found.layers[4] == whole.layers[4] and found.training.augmentations == whole.training.augmentations
    (tmp_path / "made.safetensors").write_bytes(b"none")
    with pytest.raises(RecipeError, match=r"on.toml: extends .*made.safetensors: no recipe of a checkpoint: truncated"):
        load_recipe(path)
    with pytest.raises(RecipeError, match=r"recipe 'made.safetensors': expected a .toml file"):
        load_recipe("made.safetensors")
