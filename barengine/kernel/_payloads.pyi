from barengine.kernel._pure_payloads import Payloads as Payloads
