"""What TensorBoard shows of a training."""

import tensorflow as tf


def write_scalars(writer, record):
    """Write the figures of an epoch as `tf.summary.scalar`
    does, for which the package tensorboard must be there.
    """
    scalars = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
    metadata = tf.compat.v1.SummaryMetadata(plugin_data=scalars, data_class="DATA_CLASS_SCALAR")
    with writer.as_default(record["epoch"]):
        for key, value in record.items():
            if key != "epoch":
                tf.summary.write(key, tf.constant(value, "float32"), metadata=metadata)
