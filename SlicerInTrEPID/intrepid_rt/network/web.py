"""DICOMweb: store (STOW-RS), search (QIDO-RS) and retrieve (WADO-RS), by the package dicomweb-client."""

import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from pydicom.dataset import Dataset

from intrepid_rt.dicom_file import read_dataset
from intrepid_rt.errors import InvalidSetting, MissingObject
from intrepid_rt.network.outbox import Parcel, Receipts
from intrepid_rt.network.peer import PeerFailure
from intrepid_rt.network.sending import ATTEMPTS, Progress, Sent

_THIS_MACHINE = ("localhost", "127.0.0.1")


class WebPeer:
    """A DICOMweb service.

    Parameters
    ----------
    url : str
        For example https://archive.example/dicom-web. Plain http is taken for this machine only. User and password
        come from the user's netrc file, never from the command line.

    Raises
    ------
    InvalidSetting
        Patients would travel unencrypted.
    MissingObject
        The package dicomweb-client is not installed.
    """

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        if place.scheme != "https" and not (place.scheme == "http" and place.hostname in _THIS_MACHINE):
            raise InvalidSetting(
                f"{url}: expected https://... (http only for this machine), since patients travel on it."
            )
        try:
            from dicomweb_client.api import DICOMwebClient
        except ImportError as error:
            raise MissingObject("DICOMweb needs the package dicomweb-client. Install slicer-intrepid[net].") from error
        self.url = url
        self._client = DICOMwebClient(url)
        self._client.set_http_retry_params(retry=False)  # ours tell how often and write down what was taken

    def store(self, dataset: Dataset) -> None:
        """Send one object (STOW-RS).

        Raises
        ------
        PeerFailure
            The service does not answer or refuses; so do `search` and `retrieve`.
        """
        self._call(self._client.store_instances, [dataset])

    def search(self, **filters: str) -> list[dict[str, Any]]:
        """Find instances by keyword (QIDO-RS), e.g. ``StudyInstanceUID="1.2.3"``; DICOM JSON of each."""
        return self._call(self._client.search_for_instances, search_filters=filters)

    def retrieve(self, study_uid: str, series_uid: str, instance_uid: str) -> Dataset:
        """Get one object (WADO-RS)."""
        return self._call(self._client.retrieve_instance, study_uid, series_uid, instance_uid)

    def _call(self, function: Any, *arguments: Any, **more: Any) -> Any:
        import requests

        try:
            return function(*arguments, **more)
        except requests.HTTPError as error:
            code = error.response.status_code if error.response is not None else "?"
            raise PeerFailure(
                f"{self.url} answered with HTTP status {code}. Check the address and the rights."
            ) from error
        except requests.RequestException as error:
            raise PeerFailure(
                f"{self.url} does not answer ({type(error).__name__}). Check address and network."
            ) from error


def send_by_web(
    peer: WebPeer,
    parcels: Sequence[Parcel],
    receipts: Receipts,
    *,
    attempts: int = ATTEMPTS,
    pause_s: float = 1.0,
    progress: Progress = lambda done, total: None,
) -> Sent:
    """Send files by STOW-RS, each again after a pause that doubles until the service has taken it.

    Raises
    ------
    PeerFailure
        The service failed ``attempts`` times in a row.
    """
    result = Sent(taken_earlier=[one.sop_instance_uid for one in parcels if one in receipts])
    pending = [one for one in parcels if one not in receipts]
    for number, one in enumerate(pending, 1):
        dataset = read_dataset(one.path)
        for attempt in range(1, attempts + 1):
            try:
                peer.store(dataset)
                break
            except PeerFailure:
                if attempt == attempts:
                    raise
                result.reconnections += 1
                time.sleep(min(30.0, pause_s * 2 ** (attempt - 1)))
        result.taken.append(one.sop_instance_uid)
        receipts.add(one)
        progress(number, len(pending))
    return result
