"""The learned part: arrays in, numbers out.

The only home of TensorFlow, Keras and scikit-learn. It knows no DICOM, no database and no node; training, serving and
evaluation go through the same preprocessing.
"""
