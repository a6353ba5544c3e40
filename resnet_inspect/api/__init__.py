"""The public functions: any model in, a value out. The package finds each by its name.

A model is whatever networks.Model lists; where several are taken, so is a list of them. Shapes are
(channels, height, width), without the batch. `changes` are fields of ResNetSpec, such as
blocks=(2, 2, 2, 2), shortcut="D" or num_classes=10, for models that a spec describes. An argument
that cannot be used raises InspectError, whose message is one line.
"""
