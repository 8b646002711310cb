"""Make ``data_contracts/vocabularies/device_tokens.csv``: words of device texts that are nobody's.

Usage: ``python tools/make_device_tokens.py IDC_INDEX.parquet`` (needs duckdb)

Two sources. What makers and models are called: Manufacturer and Manufacturer's Model Name of all series of the NCI
Imaging Data Commons, from ``idc_index.parquet`` of the wheel ``idc-index-data`` (MIT licence; of the data only the
names of products are taken). And what scanners write into kernels, sequences, coils, software versions: the
words in ``SCANNERS`` below (source ``usage``).

A word of the index is taken if it is seen in two collections or in a hundred series, has three letters or more and
is in none of the lists of what goes: names of institutions, places and persons. Words that are also given names or
family names are taken only with the words around them (``carl zeiss``).
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from pathlib import Path
from string import ascii_lowercase

import duckdb

from aida_pipelines.contracts.vocabulary import normalise

TARGET = Path(__file__).parent.parent / "data_contracts" / "vocabularies" / "device_tokens.csv"

_GOES = """
akron alexander annotation annotations annotator aria artemis aura bni bo brook cancer carl csv data daughter
day di3data eastman eigen emma emory erlangen expert fedorov fnlcr fraunhofer friedrich from gevaert github
hasselblad herrmann hopkins hospital iou ivg jarnette johns lab leaf location london mallinckrodt max mayo
mcgill mevis mgh michigan mira mirabelarusu model na nci nms norway oehm ohio patient picker razorx89 rehbein
resw rms sola stanford stony sweden switzerland sybil timux uchicago und universitat university unknown
verification victre vida vision vista washington wdm wolfgang york
"""
NAMES = frozenset(_GOES.split())
"""Words of the index that are no words of devices, or are given names as well."""

PHRASES = """
Carl Zeiss|Carl Zeiss Meditec|MAGNETOM Vida|MAGNETOM Sola|MAGNETOM Vida Fit|MAGNETOM Sola Fit|Philips CT Aura|
Mobilett Mira|Mobilett Mira Max|Luminos dRF Max|Ysio Max|Multix Fusion Max|Somatom Perspective|Vista 1.0T|
Varian Medical Systems, Inc.|Oehm und Rehbein GmbH|3D Slicer Community|MEDITRONIC|Leica Biosystems|Roche Diagnostics|
git@github.com:QIICR/dcmqi.git|https://github.com/QIICR/dcmqi|https://github.com/QIICR/dcmqi.git|
https://github.com/fedorov/dcmqi.git|git://github.com/QIICR/dcmqi.git|https://github.com/qiicr/dcmqi.git|
https://github.com/ImagingDataCommons/highdicom.git|https://github.com/imagingdatacommons/highdicom|
https://github.com/razorx89/pydicom-seg|ARIA RadOnc|ARIA RTM|PICKER International, Inc.|SafeCT|
Agfa-Gevaert|Agfa-Gevaert AG|Agfa-Gevaert N.V.|CMS, Inc.|Kuratorium OFFIS e.V.|IRS|TPS|Manufacturer name here|
Treatment Planning System name here|
Sensation 16 with Akron Q tube|Patient Verification|Private Scanning Sequence|Private ImageTypeMR
"""

SCANNERS = {
    "maker": """
        acme acuson adac agfa aloka amicas aperio barco bayer biosystems bruker canon carestream cmr co
        company corp corporation cps cti dejarnette elekta elscint esaote fischer fonar fuji fujifilm ge gems
        gmbh guerbet hamamatsu healthcare healthineers hitachi hologic imatron inc industries informatics
        international kodak konica leica limited llc lorad ltd lunit manufacturer mec med medical meditec
        medistim medrad merge mim mimvista minolta mirax mvista nemoto neusoft nikon nuclear offis olympus
        orex osirix pacs philips photo film pixelmed planmeca planmed plc qiicr radiography rayence research
        riverain roche samsung schick shimadzu siemens sirona sonosite sony surgery swissray systems
        technologies technology test thales toshiba trex ultrasound uih united imaging varex varian ventana
        vidar vieworks vingmed vital volpara winn zeiss ab ag as bv kk sa spa development industrial
        electronics electric equipment general instruments international group division butterfly clarius
        echonous healcerion konted network mobile health phantom works
    """,
    "model": """
        achieva acquity activion advantage aera affiniti airis allura altea altaire altura ambition amira
        aplio apex aquilion architect arcadis artis artist artiste ascend asteion atlas avanto axiom axio axs
        big bore biograph biomatrix brightspeed brightview brilliance brivo cassette celesteion centricity
        cima clearview clinac compact connectome conquest convergence cosmos cr csx digital diagnost
        digitaldiagnost direct discovery dr dream drive drx dstream dual duo echelon eclipse ecat edge eleva
        elition elite emotion encore entrium epiq epsilon espree essenza essential everest evo evolution
        evolve excite excel explorer expert extended fit fitted flash flexi flow fluorospot force forte free
        fusion galan gemini genesis gigalux go gsi gyroscan harmony hd hdx hdxt hdi horizon hifu hispeed
        holder icon icg ict incisive infinia infinity infinix ingenia ingenuity inspiration insightec integris
        intellispace intera intevo iqon ixr jazz lb leap lightning lightspeed lightvision logiq lucent lumina
        luminos lx lxi magnetom mammomat maxima maxio mct metro micro millennium mmr mobile mobilett
        mobilediagnost multistar multix mx8000 naeotom neuviz nova numaris nxt oasis one open optima orian
        oval panorama performix perspective petnet pioneer pinnacle planmed platform plus portal pratico
        precedence precise precision premier premium prestige prime primus prisma pristina pro proteus pulse
        quantum quick rad radspeed rapid rx revolution rfx rotograph rt scenaria scope secura selenia
        senographe senoiris senova sensation sequoia series sharp signa skylight skyra smart solus somatom
        somaris sonata sonovista sp spectra spectral spectrum speed spirit sprinter ste supria symbia symphony
        syngo synergy system tandem tf thunder tim tof tomo tomoscan toshiba trilogy trio triotim triumph true
        truebeam truepoint tx ultimate ultra ums uct umi umr unity upgrade urology vantage vanquish varicam
        velocity ventri vereos verio versa versana verity versano via vivid vitrea vision xeleris voyager
        vscan volume vue wdr works workstation xario xcite xtra xeed xceed xpress zeniva zeus titan triton
        visitor station console cart detector head holder type tablet wireless portable csl gm gc nx lite se
        vct qx hp ads syngovia cadstream mrt mri pet ct spect xr mg us image imager imaging reader scanner
        unit workspot infinion confidence logiqe xvi xio gbm nt fd mi ds dr cmm rhapsode products device
        devices drum sel veriq treatment planning system converted by custom from dicom tiff encapsulate nrrd
        inveon advance allegro guardian
    """,
    "software": """
        apl app application beta build com coreload dicom dicomlib drivers enhanced git github gui hf https
        http image in lib live master mr operating os pack patch pixelmed pydicom python release rev revision
        rt service software sp sr sw syngo system test the ts ver version viewer vb va vd ve vc xa xj with
        using compressed dcmtk gdcm itk mitk slicer dcmqi highdicom matlab plastimatch volumeviewer workspace
        convert tifftodicom editor toolkit module library firmware hotfix base core lx
    """,
    "kernel": """
        bone boneplus brain chest chst detail edge head lung soft std standard stnd ultra hd ub ua uc ya yb yc
        yd ye ey ez ec la lb lc smooth sharp medium very body filter fil bowtie bow tie large small flat wedge
        none vsharp sharpc softb kernel hr qr br bl bv bf hc hv hf tc tp fl ctdi lsharp xr iq idose imr airmc
        fc fl quant neuro cardiac stand stdplus boneplus asir aidr aice pique dlir fbp ir veo safire admire
        wnr ramp hann hanning hamming butterworth gaussian gauss shepp logan parzen cosine lowpass allpass
        post pre none convolution reconstruction recon method algorithm iteration iterations iterative subset
        subsets osem mlem tof psf fore vpfx sharpir qclear true uhd oncofreeze backprojection back projection
        filtered blob ramla dbtor linogram ordered expectation maximization subset os em fbp rp dift sss ssse
        model based relative single scatter simulation measured calculated ct attenuation randoms delayed
        event energy window singles estimation transmission source weighted none norm arc dead decay start
        admin yes no segmented correction corrected uncorrected convolution subtraction krow fit monte carlo
        compton dual mu map zte dixon atlas rod ctac ac nac hu us od pct mgml ed edw z eff hz normalized
        unspecified counts second bqml suv suvbw proportional
    """,
    "sequence": """
        tse tseb tfl fl se spc spcir spcr ep epi epfid epse epir tfi tir tirb tirm qtfl ccmap me de h hh haste
        trufi ciss psif fisp trueflash medic swi seepi fisp space vibe blade resolve rs re zoom zoomit fq pc
        pcfl tof tfldiff diff dti pcasl asl pasl tgse fid csi svs slaser press steam mb cmrr b1map fm fieldmap
        gre grefm dwi efgre efgre3d fgre fgret fse frfse fsexl cube bravo fspgr spgr lava flex ideal iq merge
        fiesta fiestac cine mde propeller epi2 epirt memp vibrant tricks ssfse ssfsexl asset arc t1tfe ffe tfe
        dwise feepi geir grase b tset mprage mp2rage ir irfse sefse ge2d fe fe2d fe3d ssfp fase spair gr fast
        flair dark fluid stir tsert dess remagnet ute petra wasp wip ksp flash3d mt mtc hires loc scout
        localizer svs
    """,
    "coil": """
        coil coils body head neck headneck spine breast knee foot ankle wrist hand shoulder flex flexible
        large small array matrix channel channels phased multi element elements transmit receive tx rx qd
        birdcage whole pa ap abdomen torso cardiac anterior posterior integrated built inner outer left right
        sense nv mcoil medium loop surface endo endorectal extremity peripheral angio pelvis blanket air aa ct
        ch sn syn gem hns usn spdr hrbrain octopus qdwhole tcs hlb hs gr hn hc lfc sfc ele vtc ctl uba hd hr
        cxk hap rhap nvarray bilateral
    """,
    "tracer": """
        fdg fluorodeoxyglucose fluorine fludeoxyglucose sodium fluoride naf solution florbetapir flutemetamol
        florbetaben psma dotatoc dotatate dotanoc choline methionine ammonia rubidium chloride water oxygen
        carbon nitrogen gallium technetium tetrofosmin sestamibi medronate mdp hdp oxidronate exametazime
        hmpao mag3 dtpa dmsa maa pertechnetate tc tc99m iodine iobenguane mibg ioflupane datscan thallium
        indium pentetreotide fet flt fmiso fes pib amyvid vizamyl neuraceq injection intravenous oral rectal
        iv po im route percutaneous inhalation intrathecal lutetium copper zirconium glucose f18 fdg18 18f 11c
        13n 15o 82rb 68ga 64cu 89zr 99mtc 123i 124i 131i 111in 201tl 177lu 1h 31p 13c 23na 19f 129xe 3he 7li
        17o
    """,
    "segmentation": """
        segment segmentation number referenced editor algorithm automatic semiautomatic manual threshold paint
        draw grow islands margin slicereditor totalsegmentator nnunet unet moose mediastinal deep learning ai
        row tile index column position offset slide coordinate plane stack id image patient frame
    """,
}  # fmt: skip


def main(index: str) -> None:
    """Write the vocabulary."""
    rows: dict[str, tuple[str, str]] = {}
    for kind, words in SCANNERS.items():
        for word in words.split():
            rows.setdefault(normalise(word), (kind, "usage"))
    for phrase in PHRASES.replace("\n", "").split("|"):
        if phrase.strip():
            rows.setdefault(normalise(phrase), ("name", "usage"))
    for letter in ascii_lowercase:
        rows.setdefault(letter, ("letter", "usage"))
    for kind, column in (("maker", "Manufacturer"), ("model", "ManufacturerModelName")):
        collections: dict[str, set[str]] = {}
        series: Counter[str] = Counter()
        seen = duckdb.read_parquet(index).filter(f"{column} IS NOT NULL")
        for text, collection, count in seen.aggregate(f"{column}, collection_id, count(*)").fetchall():
            for word in normalise(text).split():
                collections.setdefault(word, set()).add(collection)
                series[word] += count
        for word, where in collections.items():
            often = len(where) > 1 or series[word] >= 100
            letters = re.fullmatch(r"[a-z]{3,}", word) is not None
            if often and letters and word not in NAMES:
                rows.setdefault(word, (kind, "idc-index-data"))
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("term", "value", "code", "scheme", "source"))
        writer.writerows((term, kind, "", "", source) for term, (kind, source) in sorted(rows.items()))


if __name__ == "__main__":
    main(sys.argv[1])
