//! The Python class of connections: PyO3 has no generic ones, so each protocol has its own.

/// Makes the Python class of the connections of a protocol: what the loop and `hotclub._connect` call. Errors of a
/// connection go to those who wait for it; these methods raise nothing else.
macro_rules! link_class {
    ($name:ident, $speech:ty) => {
        /// A connection that an event loop reads and writes when it can.
        #[pyclass(frozen, module = "hotclub._hotclub")]
        pub(crate) struct $name(pub(crate) $crate::door::Core<$speech>);

        #[pymethods]
        impl $name {
            fn _flush(slf: &Bound<'_, Self>) -> PyResult<()> {
                $crate::door::Core::<$speech>::flush(slf)
            }

            fn _writable(slf: &Bound<'_, Self>) -> PyResult<()> {
                $crate::door::Core::<$speech>::writable(slf)
            }

            fn _readable(slf: &Bound<'_, Self>) -> PyResult<()> {
                $crate::door::Core::<$speech>::readable(slf)
            }

            fn _expire(slf: &Bound<'_, Self>) -> PyResult<()> {
                $crate::door::Core::<$speech>::expire(slf)
            }

            fn _target(&self) -> (String, Option<u16>) {
                self.0.target()
            }

            fn _connect_limit(&self) -> f64 {
                self.0.connect_limit()
            }

            fn _has_words_to_find(&self) -> bool {
                self.0.has_words_to_find()
            }

            fn _find_words(&self) {
                self.0.find_words();
            }

            fn _adopt(slf: &Bound<'_, Self>, descriptor: std::os::fd::RawFd) -> PyResult<()> {
                $crate::door::Core::<$speech>::adopt(slf, descriptor)
            }

            #[pyo3(signature = (reason, cancelled = false))]
            fn _failed(slf: &Bound<'_, Self>, reason: Option<String>, cancelled: bool) {
                $crate::door::Core::<$speech>::failed(slf, reason, cancelled);
            }

            fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
                self.0.traverse(&visit)
            }

            fn __clear__(&self) {
                self.0.clear();
            }
        }
    };
}
pub(crate) use link_class;
