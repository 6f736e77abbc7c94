"""stub"""
def _no(e, node): return False
fast_conv = fast_conv_d_input = fast_conv_d_weight = fast_avg_pool = fast_avg_pool_d_input = fast_max_pool = fast_max_pool_d_input = _no
