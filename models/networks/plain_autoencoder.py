"""The plain convolutional autoencoder of the textbooks: squeeze a normal image into a few numbers and paint it again.

It is here to be measured beside the others: what it rebuilds badly is what has many edges, and disease is soft. Its
error is a measure of sharpness more than of disease: AUC 0.87 on the public chest radiographs held out for validation,
0.66 on the shifted test split (recipe `textbook-28`).

References
----------
Masci J et al., "Stacked Convolutional Auto-Encoders for Hierarchical Feature Extraction", ICANN 2011 · Baur C et al.,
"Autoencoders for Unsupervised Anomaly Segmentation in Brain MR Images", Med. Image Anal. 69, 2021.
"""

import keras
from keras import layers

CHANNELS = (16, 32, 64)
"""Of the strided convolutions, each of which halves rows and columns; the way back takes them in reverse."""


def plain_autoencoder(size: int, latent: int) -> keras.Model:
    """Return the untrained autoencoder: three convolutions down, `latent` numbers, three transposed ones up.

    Input shape
        (batch, size, size, 1), float32 in [0, 1]; size a multiple of 8.

    Output shape
        (batch, size, size, 1), float32 in [0, 1], the image as it was rebuilt.
    """
    image = features = keras.Input((size, size, 1), name="image")
    for number, channels in enumerate(CHANNELS):
        features = layers.Conv2D(channels, 3, 2, padding="same", activation="relu", name=f"down{number}")(features)
    grid = features.shape[1:]
    squeezed = layers.Dense(latent, name="latent")(layers.Flatten(name="flat")(features))
    spread = layers.Dense(grid[0] * grid[1] * grid[2], activation="relu", name="spread")(squeezed)
    features = layers.Reshape(grid, name="grid")(spread)
    for number, channels in enumerate(reversed(CHANNELS)):
        features = layers.Conv2DTranspose(channels, 3, 2, padding="same", activation="relu", name=f"up{number}")(
            features
        )
    rebuilt = layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="rebuilt")(features)
    return keras.Model(image, rebuilt, name="plain_autoencoder")
