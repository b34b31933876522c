from barengine.kernel._pure_fresh import Fresh as Fresh
